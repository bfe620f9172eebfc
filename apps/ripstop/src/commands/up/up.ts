// Brings up a mesh on this machine: control plane, resources, workloads; and takes all of it down again.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { ControlApi, meshHome, sweepStateDirectories, type MeshHome } from "@ripstop/agent-engine";
import { formatDurationMs, holdProcess, sleep, systemClock } from "@ripstop/core";
import type { ApplyRequest, ApplyResponse, ControlInfo, WorkloadView } from "@ripstop/model";
import { shopMissing } from "../../errors.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { AuthorityOptions, HomeOption } from "../../options.ts";
import { printError, printFailure } from "../../output/failure.ts";
import { author } from "../apply/apply.ts";
import { readDocuments } from "../apply/read-documents.ts";
import { Screen, upBlock } from "./screen.ts";
import { readShop, runArguments, type ShopManifest } from "./shop-manifest.ts";
import { SupervisedProcesses } from "./supervised-processes.ts";

/** Options of `ripstop up`. */
export interface UpOptions extends HomeOption, AuthorityOptions {
  readonly shop?: string | true;
  readonly ephemeral: boolean;
  readonly dashboardPort?: number;
  readonly endWithParent: boolean;
}

const CONTROL = "control";
/** Where people look for the dashboard; when it is taken, the control plane uses another and says so. */
const DASHBOARD_PORT = 15_080;
/** The table comes when it has something to show, but not later than this. */
const FIRST_TRAFFIC_MS = 4_000;
const CONTROL_START_MS = 30_000;
const SHOP_START_MS = 120_000;
/** Together they stay below the 5 s that Ctrl-C may take. */
const WORKLOAD_GRACE_MS = 3_300;
const CONTROL_GRACE_MS = 1_200;

/** Runs until a signal; the exit code. */
export async function up(options: UpOptions): Promise<number> {
  const shop = options.shop === undefined ? undefined : readShop(options.shop === true ? undefined : options.shop);
  if (shop !== undefined && !shop.ok) {
    printError(shopMissing, shop.error);
    return exitCodes.failed;
  }
  const path = options.home ?? (options.ephemeral ? mkdtempSync(join(tmpdir(), "ripstop-")) : undefined);
  const mesh = new LocalMesh(meshHome(path, process.env), options, shop?.value);
  const hold = holdProcess();
  const stop = (): void => mesh.stop();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, stop);
  if (options.endWithParent) process.on("disconnect", stop);
  try {
    return await mesh.run();
  } finally {
    hold.clear();
    if (process.connected) process.disconnect();
  }
}

/** One run of `ripstop up`. */
class LocalMesh {
  readonly #home: MeshHome;
  readonly #options: UpOptions;
  readonly #shop: ShopManifest | undefined;
  readonly #api: ControlApi;
  readonly #screen = new Screen({
    write: (text) => void process.stdout.write(text),
    isTTY: process.stdout.isTTY,
    rows: process.stdout.rows,
    columns: process.stdout.columns,
  });
  readonly #processes = new SupervisedProcesses(systemClock, (line) => this.#screen.say(line));
  #stop: () => void = () => {};
  #stopping = false;
  readonly #stopped = new Promise<"stopped">((resolve) => {
    this.#stop = () => {
      this.#stopping = true;
      resolve("stopped");
    };
  });

  constructor(home: MeshHome, options: UpOptions, shop: ShopManifest | undefined) {
    this.#home = home;
    this.#options = options;
    this.#shop = shop;
    this.#api = new ControlApi(home.apiSocket);
  }

  /** Ends it; a second call changes nothing. */
  stop(): void {
    if (!this.#stopping) this.#screen.leave("ending …");
    this.#stop();
  }

  async run(): Promise<number> {
    mkdirSync(join(this.#home.path, "logs"), { recursive: true, mode: 0o700 });
    sweepStateDirectories(this.#home);
    try {
      const failed = await Promise.race([this.#start(), this.#stopped]);
      if (failed === "stopped") return exitCodes.done;
      if (failed !== undefined) return failed;
      await this.#showUntilStopped();
      return exitCodes.done;
    } finally {
      await this.#end();
    }
  }

  /** The exit code when it did not work. */
  async #start(): Promise<number | undefined> {
    const startMs = systemClock.monotonicMs();
    const living = await this.#api.info();
    if (living.ok) {
      this.#screen.say(
        `a control plane runs on ${this.#home.path} already (since ${timeText(living.value.startedMs)}); using it`,
      );
    } else {
      const failed = await this.#startControl();
      if (failed !== undefined) return failed;
    }
    if (this.#shop !== undefined) {
      const failed = await this.#startShop(this.#shop);
      if (failed !== undefined) return failed;
    }
    this.#screen.say(`up in ${((systemClock.monotonicMs() - startMs) / 1000).toFixed(1)} s`);
    return undefined;
  }

  async #startControl(): Promise<number | undefined> {
    this.#screen.progress("starting the control plane …");
    const port = this.#options.dashboardPort ?? DASHBOARD_PORT;
    const logFile = join(this.#home.path, "logs", "control.log");
    const control = this.#processes.start(CONTROL, {
      args: [
        ...["control", "--home", this.#home.path, "--dashboard-port", String(port), "--end-with-parent"],
        ...authorityArguments(this.#options),
      ],
      cwd: process.cwd(),
      env: process.env,
      logFile,
    });
    const answered = await this.#until(CONTROL_START_MS, async () => (await this.#api.info()).ok || !control.running);
    if (answered && control.running) {
      for (const notice of (await readText(logFile)).split("\n"))
        if (notice.startsWith("Port ")) this.#screen.say(notice);
      return undefined;
    }
    if (!this.#stopping)
      process.stderr.write(`ripstop: the control plane did not start; its log:\n${await tailOf(logFile)}`);
    return exitCodes.failed;
  }

  async #startShop(shop: ShopManifest): Promise<number | undefined> {
    this.#screen.progress("applying the shop's resources …");
    const documents = await readDocuments(shop.resources.map((file) => join(shop.directory, file)));
    if (!documents.ok) {
      printError(shopMissing, documents.error);
      return exitCodes.failed;
    }
    const body: ApplyRequest = { documents: documents.value, author: author(), reason: "the demo shop", dryRun: false };
    const applied = await this.#api.call<ApplyResponse>("POST", "/v1/apply", body);
    if (!applied.ok) return printFailure(applied.error);
    for (const workload of shop.workloads) {
      if (this.#stopping) return undefined;
      this.#processes.start(workload.name, {
        args: runArguments(shop, workload, this.#home.path),
        cwd: shop.directory,
        env: { ...process.env, RIPSTOP_HOME: this.#home.path, ...workload.env },
        logFile: join(this.#home.path, "logs", `${workload.name}.log`),
      });
    }
    const wanted = shop.workloads.length;
    const ready = await this.#until(SHOP_START_MS, async () => {
      const views = (await this.#workloads()).filter((view) => view.namespace === shop.namespace && view.ready);
      this.#screen.progress(`starting the shop: ${views.length} of ${wanted} workloads are ready …`);
      return views.length >= wanted;
    });
    if (ready) {
      this.#screen.progress("waiting for the first requests …");
      await this.#until(FIRST_TRAFFIC_MS, async () =>
        (await this.#workloads()).every((view) => view.applicationAddress === "" || view.requests > 0),
      );
      return undefined;
    }
    process.stderr.write(
      `ripstop: the shop did not get ready within ${SHOP_START_MS / 1000} s; the logs are in ${this.#home.path}/logs\n`,
    );
    return exitCodes.failed;
  }

  async #showUntilStopped(): Promise<void> {
    let info: ControlInfo | undefined;
    while (!this.#stopping) {
      // oxlint-disable no-await-in-loop -- one look a second
      const answer = await this.#api.info();
      if (answer.ok) info = answer.value;
      const workloads = await this.#workloads();
      if (info !== undefined && answer.ok && !this.#stopping)
        this.#screen.block(upBlock(info, workloads, this.#hints(workloads)));
      await Promise.race([sleep(systemClock, 1_000), this.#stopped]);
      // oxlint-enable no-await-in-loop
    }
  }

  #hints(workloads: readonly WorkloadView[]): string[] {
    if (this.#shop === undefined) return ["\nCtrl-C ends it."];
    const web = workloads.find((one) => one.service === "web");
    const half = relative(process.cwd(), join(this.#shop.directory, "half.yaml"));
    const tries = [
      ["npx ripstop tap --min-status 400", "the thief, refused, as it happens"],
      [`npx ripstop apply --wait ${half}`, "half of the readers get catalog v2"],
      ["npx ripstop describe authorizationpolicy staff-only -n shop", "what keeps the thief out"],
    ] as const;
    const width = Math.max(...tries.map(([command]) => command.length));
    return [
      ...(web === undefined ? [] : [`the shop   http://${web.applicationAddress}/`]),
      "",
      "Worth trying next, in another terminal:",
      `  export RIPSTOP_HOME=${this.#home.path}`,
      ...tries.map(([command, shows]) => `  ${command.padEnd(width)}   ${shows}`),
      "",
      "Ctrl-C ends it all.",
    ];
  }

  async #workloads(): Promise<readonly WorkloadView[]> {
    const answer = await this.#api.call<{ readonly workloads: readonly WorkloadView[] }>("GET", "/v1/workloads");
    return answer.ok ? answer.value.workloads : [];
  }

  /** Asks ten times a second; false when the time ran out or all is to end. */
  async #until(timeoutMs: number, condition: () => Promise<boolean>): Promise<boolean> {
    const endMs = systemClock.monotonicMs() + timeoutMs;
    while (!this.#stopping && systemClock.monotonicMs() < endMs) {
      // oxlint-disable no-await-in-loop -- one question after the other
      if (await condition()) return true;
      await sleep(systemClock, 100);
      // oxlint-enable no-await-in-loop
    }
    return false;
  }

  async #end(): Promise<void> {
    this.#stop();
    const names = (this.#shop?.workloads ?? []).map((workload) => workload.name);
    await this.#processes.stop(names, WORKLOAD_GRACE_MS);
    await this.#processes.stop([CONTROL], CONTROL_GRACE_MS);
    if (this.#options.ephemeral) rmSync(this.#home.path, { recursive: true, force: true, maxRetries: 3 });
  }
}

function authorityArguments({ svidTtl, caKey, rootLifetime, externalCa }: AuthorityOptions): string[] {
  return [
    ...(svidTtl === undefined ? [] : ["--svid-ttl", formatDurationMs(svidTtl)]),
    ...(caKey === undefined ? [] : ["--ca-key", caKey]),
    ...(rootLifetime === undefined ? [] : ["--root-lifetime", formatDurationMs(rootLifetime)]),
    ...(externalCa === undefined ? [] : ["--external-ca", resolve(externalCa)]),
  ];
}

async function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch(() => "");
}

async function tailOf(file: string): Promise<string> {
  return `${(await readText(file)).trimEnd().split("\n").slice(-20).join("\n")}\n`;
}

function timeText(timeMs: number): string {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" }).format(timeMs);
}
