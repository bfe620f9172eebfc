// Identities of the processes of this host: the kernel's facts against the registration entries of this node, the SVIDs
// from the control plane under the node's own. One SVID per entry, shared by the processes that fit it.

import { createPrivateKey, randomInt } from "node:crypto";

import { err, ok, type Clock, type Result, type Timer } from "@ripstop/core";
import { pemToDer } from "@ripstop/identity";
import { mismatch } from "@ripstop/identity/attestation";
import type { NodeEntries, NodeEntry } from "@ripstop/model";
import { ProcessReader } from "../attest/process-facts.ts";
import type { ReplicatedJoinApi } from "../join/replicated-join-api.ts";
import { svidNotAfterMs, type KeyAndCsrMaker } from "../svid-keeper.ts";
import type {
  IdentityRefusal,
  JwtSvid,
  PeerCredentials,
  TrustDomainBundle,
  WorkloadIdentities,
  WorkloadIdentitySource,
  X509SvidWithKey,
} from "../workload-identity-source.ts";

/** Settings of an AgentIdentitySource. */
export interface AgentIdentitySourceOptions {
  readonly node: string;
  readonly trustDomain: string;
  readonly api: Pick<ReplicatedJoinApi, "nodeEntries" | "useBundle" | "jwtForNode" | "issueForNode">;
  readonly createKeyAndCsr: KeyAndCsrMaker;
  readonly clock: Clock;
  /** Takes one line for the operator. */
  readonly report: (line: string) => void;
  /** The join listeners of all control planes ("HOST:PORT"), when there are several. */
  readonly onReplicas?: (joins: readonly string[]) => void;
}

interface Issued {
  readonly svid: X509SvidWithKey;
  /** When the next one is to be asked for. */
  readonly renewAtMs: number;
}

const POLL_MS = 5_000;
const MAX_WAIT_MS = 2 ** 31 - 1;
/** Waits before an SVID that was refused or could not be had is asked for again. */
const AGAIN_MS = 5_000;

/** Answers the Workload API of a host. */
export class AgentIdentitySource implements WorkloadIdentitySource {
  readonly #options: AgentIdentitySourceOptions;
  readonly #processes = new ProcessReader();
  readonly #issued = new Map<string, Issued>();
  readonly #asking = new Map<string, Promise<Issued | undefined>>();
  readonly #waiting = new Set<() => void>();
  readonly #timer: Timer;
  #entries: NodeEntries | undefined;
  #bundles: ReadonlyMap<string, TrustDomainBundle> = new Map();
  #text = "";
  #failing = false;
  #closed = false;

  constructor(options: AgentIdentitySourceOptions) {
    this.#options = options;
    this.#timer = options.clock.every(POLL_MS, () => void this.refresh());
  }

  /** Entries and bundle as the control plane has them now; what is known stays in use while it is away. */
  async refresh(): Promise<void> {
    const answer = await this.#options.api.nodeEntries(this.#options.node);
    if (this.#closed) return;
    if (!answer.ok) {
      if (!this.#failing) {
        this.#options.report(
          `registration entries could not be read (${answer.error.error.message}); the last ones hold`,
        );
      }
      this.#failing = true;
      return;
    }
    this.#failing = false;
    if (answer.value.replicas !== undefined) this.#options.onReplicas?.(answer.value.replicas.joins);
    const text = JSON.stringify(answer.value);
    if (text === this.#text) return;
    this.#text = text;
    this.#bundles = await readBundles(answer.value.bundles);
    this.#entries = answer.value;
    this.#options.api.useBundle(answer.value.bundlePem);
    const names = new Set(answer.value.entries.map(({ name }) => name));
    for (const name of this.#issued.keys()) if (!names.has(name)) this.#issued.delete(name);
    this.#wake();
  }

  async *identitiesOf(caller: PeerCredentials, signal: AbortSignal): AsyncIterable<WorkloadIdentities> {
    let before = "";
    while (!signal.aborted && !this.#closed && caller.isAlive()) {
      // oxlint-disable no-await-in-loop -- one state after the other
      const changed = this.#changed(signal);
      const entries = await this.#entriesOf(caller);
      const issued = await Promise.all(entries.map((entry) => this.#svidOf(entry)));
      const svids = issued.flatMap((one) => (one === undefined ? [] : [one.svid]));
      const text = JSON.stringify([
        svids.map(({ spiffeId, notAfterMs }) => [spiffeId, notAfterMs]),
        this.#entries?.bundlePem,
      ]);
      // Identities that could not be had just now are no reason to tell a workload that it has none.
      if (text !== before && (svids.length > 0 || entries.length === 0)) {
        before = text;
        yield { svids, bundles: this.#bundles };
      }
      const nowMs = this.#options.clock.nowMs();
      const dueMs = issued.map((one) => (one === undefined ? AGAIN_MS : Math.max(0, one.renewAtMs - nowMs)));
      const timer = this.#options.clock.after(Math.min(MAX_WAIT_MS, ...dueMs), () => this.#wake());
      await changed;
      timer.clear();
      // oxlint-enable no-await-in-loop
    }
  }

  async fetchJwtSvid(
    caller: PeerCredentials,
    audience: readonly string[],
    spiffeId?: string,
  ): Promise<Result<JwtSvid, IdentityRefusal>> {
    if (audience.length === 0) return err({ reason: "invalid", message: "an audience is required" });
    const entries = await this.#entriesOf(caller);
    const entry = spiffeId === undefined ? entries[0] : entries.find((one) => one.spiffeId === spiffeId);
    if (entry === undefined)
      return err({ reason: "denied", message: "no registration entry gives this process that identity" });
    const answer = await this.#options.api.jwtForNode(this.#options.node, { entry: entry.name, audience });
    if (!answer.ok) {
      const reason = answer.error.status >= 400 && answer.error.status < 500 ? "denied" : "unavailable";
      return err({ reason, message: answer.error.error.message });
    }
    return ok({ spiffeId: entry.spiffeId, token: answer.value.token, hint: "" });
  }

  /** Ends every iteration. */
  close(): void {
    this.#closed = true;
    this.#timer.clear();
    this.#wake();
  }

  async #entriesOf(caller: PeerCredentials): Promise<readonly NodeEntry[]> {
    const all = this.#entries?.entries ?? [];
    const withHash = all.some(({ process }) => process.sha256 !== undefined);
    const facts = await this.#processes.read(caller, withHash);
    if (!facts.ok) return [];
    return all.filter(({ process }) => mismatch(process, facts.value) === undefined);
  }

  /** The SVID of an entry, renewed when half of its life is over. */
  async #svidOf(entry: NodeEntry): Promise<Issued | undefined> {
    const known = this.#issued.get(entry.name);
    const nowMs = this.#options.clock.nowMs();
    if (known !== undefined && nowMs < known.renewAtMs) return known;
    let asking = this.#asking.get(entry.name);
    if (asking === undefined) {
      asking = this.#ask(entry).finally(() => this.#asking.delete(entry.name));
      this.#asking.set(entry.name, asking);
    }
    const asked = await asking;
    if (asked !== undefined || known === undefined || nowMs >= known.svid.notAfterMs) return asked;
    // Still valid; asked for again a little later.
    return { ...known, renewAtMs: nowMs + AGAIN_MS };
  }

  async #ask(entry: NodeEntry): Promise<Issued | undefined> {
    const { api, createKeyAndCsr, node, clock, report } = this.#options;
    const { keyPem, csrPem } = await createKeyAndCsr(entry.spiffeId);
    const answer = await api.issueForNode(node, { entry: entry.name, csrPem });
    if (!answer.ok) {
      report(`no SVID for ${entry.spiffeId}: ${answer.error.error.message}`);
      return undefined;
    }
    const chain = pemToDer(answer.value.svidChainPem);
    const notAfterMs = svidNotAfterMs(answer.value.svidChainPem);
    if (!chain.ok || notAfterMs === undefined) return undefined;
    const keyDer = createPrivateKey(keyPem).export({ format: "der", type: "pkcs8" });
    const nowMs = clock.nowMs();
    const issued: Issued = {
      svid: { spiffeId: entry.spiffeId, chainDer: chain.value, keyDer, hint: "", notAfterMs },
      renewAtMs: nowMs + ((notAfterMs - nowMs) / 2) * (0.9 + 0.2 * (randomInt(1_000) / 1_000)),
    };
    this.#issued.set(entry.name, issued);
    return issued;
  }

  /** Kept at the next change, or when `signal` is aborted. */
  #changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake);
      if (signal.aborted || this.#closed) wake();
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}

/** Documents that cannot be read are left out: their trust domain is then not believed. */
async function readBundles(
  documents: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, TrustDomainBundle>> {
  const { jwksOf, parseBundle } = await import("@ripstop/identity/jwt");
  const bundles = new Map<string, TrustDomainBundle>();
  for (const [trustDomain, text] of Object.entries(documents)) {
    const parsed = parseBundle(text);
    if (!parsed.ok) continue;
    const { x509Authorities, jwtAuthorities } = parsed.value;
    const jwksJson = jwtAuthorities.length === 0 ? undefined : jwksOf(parsed.value);
    bundles.set(trustDomain, { x509Der: x509Authorities, jwksJson });
  }
  return bundles;
}
