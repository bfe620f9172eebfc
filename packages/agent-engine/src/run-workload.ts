// `ripstop run`: one application with its mesh side. Joins the mesh, holds the application until the proxy has its first
// complete config, keeps lease, SVID and proxy alive beside it, and takes all of it down in the order that loses nothing.

import { join } from "node:path";
import { ok, RipstopError, sleep, type Clock, type ErrorKind, type Result } from "@ripstop/core";
import { workloadSpiffeId } from "@ripstop/identity";
import {
  bundleFile,
  identityFiles,
  stateFiles,
  type BootstrapUpstream,
  type GatewayRegistration,
  type ProxyBootstrap,
  type ProxyPorts,
  type RegisterRequest,
  type RegisterResponse,
  type ReplicaAddresses,
  type SvidResponse,
} from "@ripstop/model";
import { proxyAlone, startApplication, type Application, type ApplicationEnd } from "./application.ts";
import { writeFileAtomically } from "./atomic-file.ts";
import { ControlApi, describeFailure, type ApiFailure } from "./control-api.ts";
import { applicationEnvironment } from "./environment.ts";
import { configNotReceived, controlUnreachable, proxyFailed, registrationRefused } from "./errors.ts";
import { Latch } from "./latch.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import {
  createStateDirectory,
  supervisorPidFile,
  sweepStateDirectories,
  workloadApiSocket,
  type MeshHome,
} from "./mesh-home.ts";
import type { ProxyCommand } from "./proxy-process.ts";
import { ProxySupervisor, type ProxyEvents } from "./proxy-supervisor.ts";
import { ReadinessProbe } from "./readiness-probe.ts";
import { ReplicatedApi } from "./replicated-api.ts";
import { removeDirectory } from "./remove-directory.ts";
import { SvidKeeper, svidNotAfterMs, type KeyAndCsr, type KeyAndCsrMaker } from "./svid-keeper.ts";
import { RunIdentitySource } from "./workload-api/run-identity-source.ts";
import { listenWorkloadApi, type WorkloadApiListener } from "./workload-api/workload-api-listener.ts";

/** Exit code of failures of the mesh side itself; the application's own codes pass through (as `docker run` and `env` do). */
export const RUN_FAILED_EXIT_CODE = 125;

/** Waits between two questions whether the control plane is there. */
const ASK_AGAIN_MS = 250;
/** After this long a wait is worth a sentence. */
const SAY_SO_AFTER_MS = 1_000;
/** An application that accepts no connection for this long may listen elsewhere. */
const NOT_LISTENING_MS = 10_000;
/** Endpoint changes reach the callers within this time; until then they may still open connections. */
const LEAVE_GRACE_MS = 100;

const TOO_MANY_REQUESTS = 429;
const LOOPBACK = "127.0.0.1";

/** What to run, and as whom. */
export interface RunOptions {
  readonly home: MeshHome;
  readonly service: string;
  readonly namespace: string;
  /** Default: the service's name. */
  readonly serviceAccount: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** The port that the application listens on; undefined for one that only calls others. */
  readonly port: RunPort | undefined;
  readonly upstreams: readonly BootstrapUpstream[];
  /** The address by which other hosts reach this one, on which the proxy then listens; default: loopback. */
  readonly advertiseHost?: string;
  /** Connections of peers begin with a PROXY protocol header. */
  readonly inboundProxyProtocol?: boolean;
  /** Loopback port on which the proxy serves its metrics; undefined for none. */
  readonly metricsPort: number | undefined;
  /** Processes that the proxy's traffic is spread over, 1 to 64. */
  readonly proxyWorkers: number;
  /** Raw connections through which nothing passes end after this time; 0 = never, undefined = the proxy's default. */
  readonly tunnelIdleMs?: number | undefined;
  /** Longest time for inbound work to finish at the end. */
  readonly drainMs: number;
  /** Longest wait for the control plane and the first config. */
  readonly waitTimeoutMs: number;
  /** The application; empty with `gateway`. */
  readonly command: readonly string[];
  /** There is no application: the proxy is the placement of these Gateways of the namespace. */
  readonly gateway?: GatewayRegistration;
}

/** The port of the application. */
export interface RunPort {
  readonly port: number;
  readonly servicePort: number;
  readonly protocol: RegisterRequest["ports"][number]["protocol"];
  /** The PROXY protocol header that the application wants; default none. */
  readonly proxyProtocol?: "v1" | "v2";
}

/** What the run needs from the process around it. */
export interface RunDependencies {
  readonly clock: Clock;
  readonly createKeyAndCsr: KeyAndCsrMaker;
  readonly proxyCommand: ProxyCommand;
  /** How to reach the control plane; default: the socket of the mesh home. */
  readonly api?: ControlApi;
  readonly env: NodeJS.ProcessEnv;
  /** Takes one line for the user (stderr). */
  readonly report: (line: string) => void;
}

/** Why the application was not started, or had to be left. */
type Failure = { readonly error: RipstopError };

/** What joining the mesh gave. */
interface Joined {
  readonly registration: RegisterResponse;
  readonly keyPem: string;
}

/** One run of `ripstop run`. */
export class WorkloadRun {
  readonly #options: RunOptions;
  readonly #dependencies: RunDependencies;
  readonly #api: ReplicatedApi;
  readonly #stopRequested = new Latch<NodeJS.Signals>();
  readonly #ready = new Latch<void>();
  readonly #listening = new Latch<ProxyPorts>();
  readonly #failed = new Latch<Failure>();
  #application: Application | undefined;
  #supervisor: ProxySupervisor | undefined;
  #lease: LeaseKeeper | undefined;
  #svid: SvidKeeper | undefined;
  #probe: ReadinessProbe | undefined;
  #identities: RunIdentitySource | undefined;
  #workloadApi: Promise<Result<WorkloadApiListener, RipstopError>> | undefined;
  #stateDirectory: string | undefined;
  #workloadId = "";
  #bundleFileSequence = 0;
  #controlAddresses: readonly string[] = [];
  #joining: Promise<Failure | Joined> | undefined;
  #signals = 0;

  constructor(options: RunOptions, dependencies: RunDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    const first = dependencies.api ?? new ControlApi(options.home.apiSocket);
    this.#api = new ReplicatedApi({ first, clock: dependencies.clock });
  }

  /** Runs to the end; the exit code for this process. Call once. */
  async run(): Promise<number> {
    sweepStateDirectories(this.#options.home);
    try {
      const outcome = await Promise.race([
        this.#start(),
        this.#failed.opened,
        this.#stopRequested.opened.then((signal) => ({ signal })),
      ]);
      if ("error" in outcome) {
        this.#say(
          `${outcome.error.kind.title} (${outcome.error.kind.code}): ${outcome.error.message}. ${outcome.error.kind.remedy}`,
        );
        return RUN_FAILED_EXIT_CODE;
      }
      if ("signal" in outcome && this.#application === undefined) return outcome.signal === "SIGINT" ? 130 : 143;
      const application = "application" in outcome ? outcome.application : this.#application;
      if (application === undefined) return RUN_FAILED_EXIT_CODE;
      const end = await application.ended;
      return this.#applicationEnded(end);
    } finally {
      await this.#cleanUp();
    }
  }

  /**
   * A signal for the application. The first one takes the workload out of the mesh and drains it before it is passed on;
   * a second SIGINT kills. `alreadyDelivered`: the terminal sent it to the application too, so that it is not passed on.
   */
  signal(name: NodeJS.Signals, alreadyDelivered: boolean = false): void {
    this.#signals++;
    if (this.#signals > 1) {
      this.#application?.signal(name === "SIGINT" ? "SIGKILL" : name);
      return;
    }
    this.#stopRequested.open(name);
    if (this.#application !== undefined) void this.#leave(this.#application, alreadyDelivered ? undefined : name);
  }

  /**
   * Replaces the proxy by a new process (after an update of the program) without a refused or failed connection; says
   * how it went.
   */
  async restartProxy(): Promise<void> {
    const supervisor = this.#supervisor;
    if (supervisor === undefined) return;
    const done = await supervisor.handOver(this.#options.drainMs);
    this.#say(done.ok ? "the proxy was replaced by a new process" : `the proxy was not replaced: ${done.reason}`);
  }

  /** From nothing to a started application. */
  async #start(): Promise<Failure | { readonly application: Application }> {
    const { clock, env } = this.#dependencies;
    const options = this.#options;
    this.#joining = this.#join();
    const joined = await this.#joining;
    if ("error" in joined) return joined;
    if (this.#stopRequested.isOpen) return stopped();
    const { registration, keyPem } = joined;
    this.#workloadId = registration.workloadId;
    const directory = createStateDirectory(options.home, registration.workloadId);
    if (!directory.ok) return { error: directory.error };
    this.#stateDirectory = directory.value;
    this.#writeBootstrap(registration, registration.controlAddresses);
    this.#identities = new RunIdentitySource({ api: this.#api, clock, ...registration });
    this.#writeIdentity(keyPem, registration);
    this.#replicasChanged(registration, registration.replicas);
    this.#workloadApi = this.#listenWorkloadApi(this.#identities, directory.value);
    const workloadApi = await this.#workloadApi;
    if (!workloadApi.ok) return { error: workloadApi.error };
    if (this.#stopRequested.isOpen) return stopped();

    this.#lease = this.#createLease(registration);
    this.#svid = this.#createSvidKeeper(registration);
    this.#svid.schedule(svidNotAfterMs(registration.svidChainPem) ?? clock.nowMs());
    this.#supervisor = this.#createSupervisor(directory.value);
    this.#supervisor.start();

    const ports = await this.#listening.opened;
    const late = clock.after(SAY_SO_AFTER_MS * 2, () =>
      this.#say("waiting for the first config from the control plane …"),
    );
    const deadline = clock.after(options.waitTimeoutMs, () =>
      this.#failed.open({ error: new RipstopError(configNotReceived, `waited ${options.waitTimeoutMs} ms`) }),
    );
    await this.#ready.opened;
    late.clear();
    deadline.clear();
    if (this.#stopRequested.isOpen || this.#failed.isOpen) return stopped();

    const own = ports.workloads[registration.workloadId];
    const appEnv = applicationEnvironment(
      env,
      options.port?.port,
      options.upstreams,
      own ?? { httpProxy: 0, upstreams: [] },
    );
    appEnv["SPIFFE_ENDPOINT_SOCKET"] = workloadApi.value.address;
    this.#application = options.gateway === undefined ? startApplication(options.command, appEnv) : proxyAlone();
    this.#watchReadiness();
    return { application: this.#application };
  }

  /** Waits for the control plane, makes key and CSR, registers. */
  async #join(): Promise<Failure | Joined> {
    const options = this.#options;
    const { clock, createKeyAndCsr } = this.#dependencies;
    const startMs = clock.monotonicMs();
    let said = false;
    let made: KeyAndCsr | undefined;
    for (;;) {
      // oxlint-disable no-await-in-loop -- one attempt after the other
      const trustDomain = await this.#api.trustDomain();
      let failure: ApiFailure;
      if (trustDomain.ok) {
        const spiffeId = workloadSpiffeId(
          trustDomain.value,
          options.namespace,
          options.serviceAccount ?? options.service,
        );
        // One key for all attempts: a token whose answer was lost is good for the same key again.
        made ??= await createKeyAndCsr(spiffeId);
        const registered = await this.#api.register(this.#registration(made.csrPem));
        if (registered.ok) return { registration: registered.value, keyPem: made.keyPem };
        failure = registered.error;
      } else {
        failure = trustDomain.error;
      }
      if (isFinal(failure)) return failed(registrationRefused, failure);
      const waitedMs = clock.monotonicMs() - startMs;
      if (waitedMs >= options.waitTimeoutMs) return failed(controlUnreachable, failure);
      if (!said && waitedMs >= SAY_SO_AFTER_MS) {
        said = true;
        this.#say(`waiting for the control plane: ${failure.error.message} (start it with \`ripstop up\`)`);
      }
      await sleep(clock, ASK_AGAIN_MS);
      // oxlint-enable no-await-in-loop
      if (this.#stopRequested.isOpen) return failed(controlUnreachable, failure);
    }
  }

  #registration(csrPem: string): RegisterRequest {
    const { service, namespace, serviceAccount, labels, port, gateway } = this.#options;
    return {
      service,
      namespace,
      ...(serviceAccount === undefined ? {} : { serviceAccount }),
      labels,
      ports: port === undefined ? [] : [{ ...port, applicationAddress: `127.0.0.1:${port.port}` }],
      csrPem,
      pid: process.pid,
      ...(gateway === undefined ? {} : { gateway }),
      ...(this.#workloadId === "" ? {} : { instance: this.#workloadId.slice(namespace.length + 1) }),
    };
  }

  /** The control planes are others than those known: for calls, for the proxy, and for its next start. */
  #replicasChanged(registration: RegisterResponse, replicas: ReplicaAddresses | undefined): void {
    if (replicas === undefined || replicas.streams.length === 0) return;
    this.#api.setReplicas(replicas.joins);
    const known = new Set(this.#controlAddresses);
    if (replicas.streams.length === known.size && replicas.streams.every((address) => known.has(address))) return;
    this.#writeBootstrap(registration, replicas.streams);
    this.#supervisor?.controlAddressesChanged(replicas.streams);
  }

  #writeBootstrap(registration: RegisterResponse, controlAddresses: readonly string[]): void {
    this.#controlAddresses = controlAddresses;
    const bootstrap: ProxyBootstrap = {
      version: 1,
      trustDomain: registration.trustDomain,
      proxyId: registration.workloadId,
      controlAddresses,
      controlIdentity: registration.controlIdentity,
      workloads: [
        {
          id: registration.workloadId,
          namespace: this.#options.namespace,
          spiffeId: registration.spiffeId,
          inboundHost: this.#options.advertiseHost ?? LOOPBACK,
          upstreams: this.#options.upstreams,
          inboundProxyProtocol: this.#options.inboundProxyProtocol ?? false,
          ...(this.#options.gateway === undefined ? {} : { gateway: this.#options.gateway }),
        },
      ],
      ...(this.#options.tunnelIdleMs === undefined ? {} : { tunnelIdleMs: this.#options.tunnelIdleMs }),
      ...(this.#options.metricsPort === undefined ? {} : { metricsPort: this.#options.metricsPort }),
    };
    this.#write(supervisorPidFile, `${process.pid}\n`);
    this.#write(stateFiles.bootstrap, `${JSON.stringify(bootstrap, undefined, 2)}\n`);
  }

  /** The bundle first: what the new SVID leads to is trusted before it is used. */
  #writeIdentity(keyPem: string, answer: Pick<SvidResponse, "svidChainPem" | "bundlePem" | "bundleSequence">): void {
    this.#api.useIdentity({ keyPem, chainPem: answer.svidChainPem, bundlePem: answer.bundlePem });
    const files = identityFiles(this.#workloadId);
    this.#writeBundle(answer.bundlePem, answer.bundleSequence ?? 0);
    this.#write(files.key, keyPem);
    this.#write(files.svid, answer.svidChainPem);
    this.#identities?.renewed(keyPem, answer.svidChainPem, answer.bundlePem);
  }

  #writeBundle(pem: string, sequence: number): void {
    this.#api.useBundle(pem);
    this.#write(stateFiles.bundle, bundleFile(pem, sequence));
    this.#bundleFileSequence = sequence;
  }

  #write(name: string, text: string): void {
    if (this.#stateDirectory !== undefined) writeFileAtomically(join(this.#stateDirectory, name), text);
  }

  /** The Workload API for the application. The socket is for this user alone, and all that this user runs may be it. */
  #listenWorkloadApi(source: RunIdentitySource, directory: string): Promise<Result<WorkloadApiListener, RipstopError>> {
    const caller = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0, pid: 0, isAlive: () => true };
    return listenWorkloadApi({
      path: join(directory, workloadApiSocket),
      mode: 0o600,
      source,
      clock: this.#dependencies.clock,
      credentialsOf: () => ok(caller),
      report: (line) => this.#say(line),
    });
  }

  #createSupervisor(stateDirectory: string): ProxySupervisor {
    const { clock, proxyCommand } = this.#dependencies;
    const events: ProxyEvents = {
      onListening: (ports) => {
        const inbound = ports.workloads[this.#workloadId]?.inbound;
        const host = this.#options.advertiseHost ?? LOOPBACK;
        // A gateway has no inbound listener for peers.
        if (inbound !== undefined && inbound !== 0)
          void this.#lease?.update({ inboundAddress: formatAddress(host, inbound) });
        this.#listening.open(ports);
      },
      onReady: () => this.#ready.open(),
      onIdentity: (_workloadId, { svidSerialNumber, bundleSequence }) => {
        // The bundle that both have: the file that a restarted proxy begins with, and what the running one uses.
        const known = Math.min(bundleSequence, this.#bundleFileSequence);
        void this.#lease?.update({ svidSerialNumber, bundleSequence: known });
      },
      onClosedPorts: (closedPorts) => void this.#lease?.update({ closedPorts }),
      onDied: (description, restartInMs) => {
        // What it will use is known when it runs again.
        void this.#lease?.update({ svidSerialNumber: "" });
        this.#say(`the proxy ended: ${description}; it starts again in ${restartInMs} ms`);
      },
      onFailed: (description) => this.#failed.open({ error: new RipstopError(proxyFailed, description) }),
    };
    return new ProxySupervisor(
      proxyCommand,
      stateDirectory,
      { clock, events },
      { workers: this.#options.proxyWorkers },
    );
  }

  #createLease(registration: RegisterResponse): LeaseKeeper {
    return new LeaseKeeper(this.#api, registration.workloadId, registration.leaseMs, this.#dependencies.clock, {
      onForgotten: () => this.#registerAgain(registration.spiffeId),
      onAnswer: ({ bundle, renewNow, replicas }) => {
        this.#replicasChanged(registration, replicas);
        if (bundle !== undefined) {
          this.#writeBundle(bundle.pem, bundle.sequence);
          this.#supervisor?.identityChanged(this.#workloadId);
        }
        if (renewNow === true) this.#svid?.renewNow();
      },
      onReachable: (reachable, failure) => {
        if (reachable) this.#say("the control plane is back");
        else
          this.#say(
            `the control plane does not answer (${failure?.error.message ?? "unknown"}); traffic goes on with the last config`,
          );
      },
    });
  }

  async #registerAgain(spiffeId: string): Promise<boolean> {
    const made = await this.#dependencies.createKeyAndCsr(spiffeId);
    const answer = await this.#api.register(this.#registration(made.csrPem));
    if (!answer.ok || answer.value.workloadId !== this.#workloadId || answer.value.spiffeId !== spiffeId) return false;
    this.#identityRenewed(made.keyPem, answer.value);
    this.#svid?.schedule(svidNotAfterMs(answer.value.svidChainPem) ?? this.#dependencies.clock.nowMs());
    return true;
  }

  #createSvidKeeper(registration: RegisterResponse): SvidKeeper {
    const { clock, createKeyAndCsr } = this.#dependencies;
    return new SvidKeeper({ api: this.#api, createKeyAndCsr, clock }, registration, {
      onRenewed: (keyPem, answer) => this.#identityRenewed(keyPem, answer),
      onFailing: (failure, notAfterMs) => {
        const left = Math.max(0, Math.round((notAfterMs - clock.nowMs()) / 1000));
        this.#say(
          `the SVID could not be renewed (${failure.error.message}); the current one is valid for ${left} s more, trying again`,
        );
      },
    });
  }

  #identityRenewed(keyPem: string, answer: Pick<SvidResponse, "svidChainPem" | "bundlePem" | "bundleSequence">): void {
    this.#writeIdentity(keyPem, answer);
    this.#supervisor?.identityChanged(this.#workloadId);
  }

  #watchReadiness(): void {
    const { port } = this.#options;
    if (port === undefined) {
      void this.#lease?.update({ ready: true });
      return;
    }
    const { clock } = this.#dependencies;
    const hint = clock.after(NOT_LISTENING_MS, () =>
      this.#say(
        `the application accepts no connection on 127.0.0.1:${port.port} yet; it gets no traffic until it does`,
      ),
    );
    this.#probe = new ReadinessProbe({ host: "127.0.0.1", port: port.port }, clock, (ready) => {
      hint.clear();
      void this.#lease?.update({ ready });
    });
    this.#probe.start();
  }

  /** Out of the endpoints, inbound work finished, then the signal. */
  async #leave(application: Application, signal: NodeJS.Signals | undefined): Promise<void> {
    const { clock } = this.#dependencies;
    // A job at a terminal decides by itself what Ctrl-C means.
    const { port, gateway } = this.#options;
    if (port === undefined && gateway === undefined && signal === undefined) return;
    this.#probe?.close();
    if (gateway !== undefined || port !== undefined) {
      await Promise.race([this.#lease?.update({ ready: false }), sleep(clock, 1_000), application.ended]);
      await Promise.race([sleep(clock, Math.min(LEAVE_GRACE_MS, this.#options.drainMs)), application.ended]);
      await Promise.race([this.#supervisor?.drain(this.#options.drainMs), application.ended]);
    }
    application.signal(signal ?? "SIGTERM");
  }

  #applicationEnded(end: ApplicationEnd): number {
    if (end.error !== undefined) this.#say(`${end.error.kind.title}: ${end.error.message}. ${end.error.kind.remedy}`);
    return end.exitCode;
  }

  async #cleanUp(): Promise<void> {
    this.#probe?.close();
    this.#svid?.close();
    this.#lease?.close();
    this.#identities?.close();
    const workloadApi = await this.#workloadApi;
    if (workloadApi?.ok) await workloadApi.value.close();
    const joined = await this.#joining;
    // The proxy first: a caller that comes now is refused before it has sent anything, and tries another endpoint.
    await this.#supervisor?.stop();
    if (joined !== undefined && "registration" in joined) await this.#api.leave(joined.registration.workloadId);
    if (this.#stateDirectory !== undefined) removeDirectory(this.#stateDirectory);
  }

  #say(line: string): void {
    this.#dependencies.report(`ripstop: ${line}`);
  }
}

/** The run was ended before the application started; told by its exit code. */
function stopped(): Failure {
  return { error: new RipstopError(configNotReceived, "the run was ended before the application started") };
}

/** Asking again would not help: the request is wrong, not early. */
function isFinal({ status }: ApiFailure): boolean {
  return status >= 400 && status < 500 && status !== TOO_MANY_REQUESTS;
}

function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function failed(kind: ErrorKind, failure: ApiFailure): Failure {
  const violations = (failure.error.violations ?? []).map((one) => `${one.path} ${one.message}`).join("; ");
  const detail = kind === controlUnreachable ? failure.error.message : describeFailure(failure);
  return { error: new RipstopError(kind, violations === "" ? detail : `${detail} (${violations})`) };
}
