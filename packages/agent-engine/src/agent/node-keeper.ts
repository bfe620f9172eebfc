// Keeps the identity of a node: joins once with a proof, then renews at half life with the key in use as the proof. After
// a reboot, or a month off with the SVID long expired, that key is still proof enough.

import { randomInt } from "node:crypto";

import { Backoff, err, ok, sleep, type Clock, type Result, type RipstopError, type Timer } from "@ripstop/core";
import { nodeSpiffeId } from "@ripstop/identity";
import type { JoinEvidence, NodeSvidResponse } from "@ripstop/model";
import type { ApiFailure } from "../control-api.ts";
import { evidenceUnusable } from "../errors.ts";
import { failureOf } from "../join/failure-of.ts";
import type { ReplicatedJoinApi } from "../join/replicated-join-api.ts";
import { svidNotAfterMs, type KeyAndCsr, type KeyAndCsrMaker } from "../svid-keeper.ts";
import { readNodeState, writeNodeState, type NodeState } from "./node-state.ts";

/** Settings of a NodeKeeper. */
export interface NodeKeeperOptions {
  /** Folder of the agent's own files. */
  readonly directory: string;
  readonly name: string;
  readonly api: ReplicatedJoinApi;
  readonly createKeyAndCsr: KeyAndCsrMaker;
  readonly clock: Clock;
  /** For the first time; undefined: only a node that has joined before can start. */
  readonly evidence: (() => Result<JoinEvidence, string>) | undefined;
  /** Takes one line for the operator. */
  readonly report: (line: string) => void;
}

const MAX_TIMER_MS = 2 ** 31 - 1;

/** The identity of this node. */
export class NodeKeeper {
  readonly #options: NodeKeeperOptions;
  readonly #backoff = new Backoff({ initialMs: 1_000, maxMs: 60_000 });
  /** One key for all attempts to join: a token whose answer was lost is good for the same key again. */
  #made: KeyAndCsr | undefined;
  #state: NodeState | undefined;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: NodeKeeperOptions) {
    this.#options = options;
  }

  /** The identity in use; undefined before `start` has succeeded. */
  get state(): NodeState | undefined {
    return this.#state;
  }

  /**
   * Comes back with the identity that was kept, or joins; waits as long as the control plane is away. Fails when it
   * refuses, or when there is nothing to prove the node with.
   */
  async start(): Promise<Result<NodeState, ApiFailure | RipstopError>> {
    const kept = readNodeState(this.#options.directory);
    if (!kept.ok) return kept;
    this.#state = kept.value?.name === this.#options.name ? kept.value : undefined;
    if (this.#state !== undefined) this.#options.api.useIdentity(identityOf(this.#state));
    this.#options.api.setReplicas(this.#state?.joins ?? []);
    for (;;) {
      // oxlint-disable no-await-in-loop -- one attempt after the other
      const answer = await this.#renewOrJoin();
      if (answer.ok) return answer;
      const isFinal = answer.error.status >= 400 && answer.error.status < 500 && answer.error.status !== 429;
      if (isFinal || this.#closed) return answer;
      this.#options.report(`the control plane does not answer (${answer.error.error.message}); trying again`);
      await sleep(this.#options.clock, this.#backoff.next());
      // oxlint-enable no-await-in-loop
    }
  }

  /** The join listeners of all control planes are these now: also for the next start, when those that the user named may be gone. */
  useReplicas(heard: readonly string[]): void {
    const { api, directory, report } = this.#options;
    const joins = heard.toSorted();
    if (this.#state === undefined || joins.join() === (this.#state.joins ?? []).join()) return;
    api.setReplicas(joins);
    this.#state = { ...this.#state, joins };
    const written = writeNodeState(directory, this.#state);
    if (!written.ok) report(`the addresses of the control planes could not be kept: ${written.error.message}`);
  }

  /** No further renewal. */
  close(): void {
    this.#closed = true;
    this.#timer?.clear();
  }

  async #renewOrJoin(): Promise<Result<NodeState, ApiFailure>> {
    if (this.#state === undefined) return this.#join();
    const renewed = await this.#renew(this.#state);
    // A node that was removed, or away for too long, may have been given a new proof.
    if (renewed.ok || renewed.error.status !== 401 || this.#options.evidence === undefined) return renewed;
    const joined = await this.#join();
    return joined.ok ? joined : renewed;
  }

  async #join(): Promise<Result<NodeState, ApiFailure>> {
    const { api, evidence, name, createKeyAndCsr } = this.#options;
    const proof = evidence?.() ?? err("this node has not joined yet: give --token-file or --jwt-file");
    if (!proof.ok) return err(failureOf(evidenceUnusable, proof.error, 400));
    const trustDomain = await api.trustDomain();
    if (!trustDomain.ok) return trustDomain;
    this.#made ??= await createKeyAndCsr(nodeSpiffeId(trustDomain.value, name));
    const answer = await api.joinNode(proof.value, name, this.#made.csrPem);
    return answer.ok ? this.#keep(this.#made, answer.value) : answer;
  }

  async #renew({ spiffeId }: NodeState): Promise<Result<NodeState, ApiFailure>> {
    const { api, name, createKeyAndCsr } = this.#options;
    const made = await createKeyAndCsr(spiffeId);
    const answer = await api.renewNode(name, made.csrPem);
    return answer.ok ? this.#keep(made, answer.value) : answer;
  }

  /** On the disk first: from here on the control plane knows the new key. */
  #keep({ keyPem }: KeyAndCsr, answer: NodeSvidResponse): Result<NodeState, ApiFailure> {
    const { directory, api, clock, report } = this.#options;
    const { name, spiffeId, trustDomain, svidChainPem, bundlePem, proofUntilMs } = answer;
    const joins = this.#state?.joins ?? [];
    const state: NodeState = { name, spiffeId, trustDomain, keyPem, svidChainPem, bundlePem, proofUntilMs, joins };
    const written = writeNodeState(directory, state);
    // The key before it stays proof until the next renewal; the agent goes on with what it has in memory.
    if (!written.ok) report(`the node's identity could not be kept: ${written.error.message}`);
    this.#made = undefined;
    this.#state = state;
    this.#backoff.reset();
    api.useIdentity(identityOf(state));
    const lifeMs = Math.max(0, (svidNotAfterMs(svidChainPem) ?? 0) - clock.nowMs());
    this.#renewAfter((lifeMs / 2) * (0.9 + 0.2 * (randomInt(1_000) / 1_000)));
    return ok(state);
  }

  #renewAfter(delayMs: number): void {
    this.#timer?.clear();
    if (this.#closed) return;
    this.#timer = this.#options.clock.after(Math.min(MAX_TIMER_MS, delayMs), () => void this.#renewInTime());
  }

  async #renewInTime(): Promise<void> {
    const answer = await this.#renewOrJoin();
    if (answer.ok || this.#closed) return;
    this.#options.report(`the node's SVID could not be renewed (${answer.error.error.message}); trying again`);
    this.#renewAfter(this.#backoff.next());
  }
}

function identityOf({ svidChainPem, keyPem, bundlePem }: NodeState): Parameters<ReplicatedJoinApi["useIdentity"]>[0] {
  return { chainPem: svidChainPem, keyPem, bundlePem };
}
