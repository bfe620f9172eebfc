// What is trusted and who signs, as the state file says it: read once, replaced atomically, told to whoever watches.

import { err, ok, type Clock, type Result } from "@ripstop/core";

import { rotationNotPossible } from "../errors.ts";
import type { TrustBundleRoots } from "../trust-bundle.ts";
import type { CaCertificate, IssueRefusal } from "./authority.ts";
import {
  type AuthorityState,
  type AuthorityStateStore,
  type PastRotation,
  type RotationRecord,
  type StateRoot,
} from "./authority-state.ts";
import { caFacts, type CaFacts } from "./ca-certificate.ts";
import { refusal } from "./csr-check.ts";

/** A root in the bundle, read. */
export interface BookRoot extends StateRoot {
  readonly facts: CaFacts;
}

/** Holds the state. */
export class AuthorityBook {
  readonly #store: AuthorityStateStore;
  readonly #clock: Clock;
  readonly #checkpoint: (step: string) => void;
  readonly #listeners = new Set<() => void>();
  #state: AuthorityState = { version: 1, sequence: 0, roots: [], signing: "" };
  #roots: readonly BookRoot[] = [];
  #bundle: TrustBundleRoots = { pem: "", der: [], sequence: 0 };

  constructor(store: AuthorityStateStore, clock: Clock, checkpoint: (step: string) => void) {
    this.#store = store;
    this.#clock = clock;
    this.#checkpoint = checkpoint;
  }

  get state(): AuthorityState {
    return this.#state;
  }

  get bundle(): TrustBundleRoots {
    return this.#bundle;
  }

  /** The roots, oldest first. */
  get roots(): readonly BookRoot[] {
    return this.#roots;
  }

  /** The roots, for people. */
  get views(): readonly CaCertificate[] {
    const { signing, rotation } = this.#state;
    return this.#roots.map(({ name, facts }) => {
      const use = facts.sha256 === signing ? "signing" : facts.sha256 === rotation?.to ? "next" : "retiring";
      return viewOf(facts, use, name === "" ? "external" : "own");
    });
  }

  /** The root of that fingerprint. */
  find(sha256: string): BookRoot | undefined {
    return this.#roots.find(({ facts }) => facts.sha256 === sha256);
  }

  /** The rotation, when it is in that phase. */
  inPhase(phase: RotationRecord["phase"]): Result<RotationRecord, IssueRefusal> {
    const { rotation } = this.#state;
    if (rotation?.phase === phase) return ok(rotation);
    return err(refusal(rotationNotPossible, rotation ? `the phase is ${rotation.phase}` : "no rotation is under way"));
  }

  /** A rotation from the root that signs to another. */
  begin(phase: RotationRecord["phase"], to: string): RotationRecord {
    const nowMs = this.#clock.nowMs();
    return { phase, from: this.#state.signing, to, startedMs: nowMs, phaseSinceMs: nowMs, forced: [] };
  }

  /** The same rotation in its next phase. */
  next(rotation: RotationRecord, phase: RotationRecord["phase"], forced: readonly string[]): RotationRecord {
    const all = [...new Set([...rotation.forced, ...forced])];
    return { ...rotation, phase, phaseSinceMs: this.#clock.nowMs(), forced: all };
  }

  /** Commits `state` without its rotation, which becomes the last one. */
  async end(
    outcome: PastRotation["outcome"],
    forced: readonly string[],
    { rotation, ...state }: AuthorityState,
    apply?: () => void,
  ): Promise<void> {
    const finishedMs = this.#clock.nowMs();
    const startedMs = rotation?.startedMs ?? finishedMs;
    await this.commit({ ...state, last: { outcome, startedMs, finishedMs, forced: [...new Set(forced)] } }, apply);
  }

  /** Makes a state durable, then takes it over with `apply`, then tells. Throws a system error. */
  async commit(state: AuthorityState, apply?: () => void): Promise<void> {
    const step = state.rotation?.phase ?? state.last?.outcome ?? "begun";
    this.#checkpoint(`before-${step}`);
    await this.#store.write(state);
    this.#checkpoint(`committed-${step}`);
    this.take(state);
    apply?.();
    this.tell();
    this.#checkpoint(`told-${step}`);
  }

  /** Takes over a state that is kept. Throws when a root in it is malformed. */
  take(state: AuthorityState): void {
    this.#roots = state.roots.map((root) => ({ ...root, facts: caFacts(root.pem) }));
    this.#state = state;
    this.#bundle = {
      pem: this.#roots.map(({ facts }) => facts.pem).join(""),
      der: this.#roots.map(({ facts }) => facts.der),
      sequence: state.sequence,
    };
  }

  /** Calls everyone who watches. */
  tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  /** Calls `listener` after every change; returns how to stop. */
  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Nobody is called any more. */
  close(): void {
    this.#listeners.clear();
  }
}

/** A certificate for people. */
export function viewOf(facts: CaFacts, use: CaCertificate["use"], origin: CaCertificate["origin"]): CaCertificate {
  const { sha256, subjectText, serialNumber, notBeforeMs, notAfterMs } = facts;
  return { sha256, subject: subjectText, serialNumber, notBeforeMs, notAfterMs, use, origin };
}
