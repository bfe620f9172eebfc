// The certificate authority of one trust domain: roots that are trusted, one of which signs through an intermediate.
// Made at the first start; exchanged step by step (rotation) or at once (recovery). Who may take a step when is decided
// by the control plane; that a step is done wholly or not at all is decided here.

import { randomBytes } from "node:crypto";
import { join } from "node:path";

import { err, ok, type Clock, type ErrorKind, type Result, type Timer } from "@ripstop/core";
import type { Counter, Logger, MetricRegistry } from "@ripstop/telemetry";

import {
  authorityExpired,
  authorityUnusable,
  identityNotIssuable,
  issuanceNotLogged,
  recoveryNotNeeded,
  rotationNotPossible,
  rotationUnderWay,
  ttlOutOfRange,
} from "../errors.ts";
import { parseSpiffeId } from "../spiffe-id.ts";
import type { TrustBundleRoots } from "../trust-bundle.ts";
import type { CaCertificate, IssuedSvid, IssueRefusal, OpenAuthority } from "./authority.ts";
import {
  readAuthorityState,
  writeAuthorityState,
  type AuthorityState,
  type PastRotation,
  type RotationRecord,
} from "./authority-state.ts";
import { caFacts, sha256Hex, type Ca, type CaFacts } from "./ca-certificate.ts";
import { CaFiles } from "./ca-files.ts";
import { makeCertificate } from "./certificate-maker.ts";
import { checkCsr, refusal } from "./csr-check.ts";
import { IssuanceLog } from "./issuance-log.ts";
import { FileKeyStore, makePrivateDirectory, messageOf, type KeyKind, type KeyStore } from "./key-store.ts";

/** How to open the authority. */
export interface AuthorityOptions {
  /** Folder for keys, certificates, state and the log; made with mode 0700. */
  readonly directory: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  /** Default: files in `directory`. */
  readonly keyStore?: KeyStore;
  /** Kind of the keys that are made from now on; default EC P-256. */
  readonly keyKind?: KeyKind;
  readonly logger?: Logger;
  readonly metrics?: MetricRegistry;
  /** Lifetime of an SVID when none is asked for, 10 s … 24 h; default 1 h. */
  readonly defaultTtlMs?: number;
  /** Lifetime of a root that is made from now on; default 10 years. */
  readonly rootLifetimeMs?: number;
  /** Called after each durable step of making and exchanging certificates, with its name: for tests of crashes. */
  readonly checkpoint?: (step: string) => void;
  /** Asked before anything is signed; a refusal is given to the caller. Default: everyone may. */
  mayIssue?(spiffeId: string): Result<undefined, IssueRefusal>;
  /** Hears of every SVID issued. Must not throw. */
  onIssued?(svid: IssuedSvid): void;
  /** Hears of every request refused. Must not throw. */
  onRefused?(spiffeId: string, refusal: IssueRefusal): void;
}

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const MIN_TTL_MS = 10 * SECOND;
const MAX_TTL_MS = 24 * HOUR;
const DEFAULT_TTL_MS = HOUR;
/** Clocks that are behind by up to this accept a fresh certificate. */
const BACKDATE_MS = 5 * 60 * SECOND;
const ROOT_LIFETIME_MS = 3650 * DAY;
const INTERMEDIATE_CHECK_MS = HOUR;
const LEAF_SUBJECT = "O=Ripstop";
const FIRST_ROOT = "root";

/** Opens the authority in `directory`, making what is missing; fails with RS2010. With an expired root it is degraded. */
export async function openAuthority(options: AuthorityOptions): Promise<Result<OpenAuthority, IssueRefusal>> {
  const id = parseSpiffeId(`spiffe://${options.trustDomain}`);
  if (!id.ok) return err(refusal(authorityUnusable, id.error));
  const ttlMs = options.defaultTtlMs ?? DEFAULT_TTL_MS;
  if (!isTtl(ttlMs)) return err(refusal(ttlOutOfRange, `${ttlMs} ms is the default`));
  let log: IssuanceLog;
  try {
    await makePrivateDirectory(options.directory);
    log = await IssuanceLog.open(join(options.directory, "issued.jsonl"));
  } catch (error) {
    return err(refusal(authorityUnusable, messageOf(error)));
  }
  const authority = new FileAuthority(options, log);
  const opened = await authority.load();
  if (opened.ok) return ok(authority);
  await authority.close();
  return opened;
}

class FileAuthority implements OpenAuthority {
  readonly trustDomain: string;
  readonly #options: AuthorityOptions;
  readonly #files: CaFiles;
  readonly #log: IssuanceLog;
  readonly #issued: Counter | undefined;
  readonly #listeners = new Set<() => void>();
  #state: AuthorityState = { version: 1, sequence: 0, roots: [], signing: "" };
  #roots: readonly CaFacts[] = [];
  #bundle: TrustBundleRoots = { pem: "", der: [], sequence: 0 };
  #root: Ca | undefined;
  #intermediate: Ca | undefined;
  #timer: Timer | undefined;
  #renewing: Promise<void> | undefined;
  /** Steps that change the state come one after the other. */
  #steps: Promise<unknown> = Promise.resolve();

  constructor(options: AuthorityOptions, log: IssuanceLog) {
    this.trustDomain = options.trustDomain;
    this.#options = options;
    this.#log = log;
    this.#files = new CaFiles({
      directory: options.directory,
      trustDomain: options.trustDomain,
      clock: options.clock,
      keys: options.keyStore ?? new FileKeyStore(options.directory),
      keyKind: options.keyKind ?? "ec-p256",
      log,
      rootLifetimeMs: options.rootLifetimeMs ?? ROOT_LIFETIME_MS,
      checkpoint: (step) => this.#checkpoint(step),
    });
    this.#issued = options.metrics?.counter("ripstop_identity_issued_total", "X.509-SVIDs issued");
  }

  async load(): Promise<Result<undefined, IssueRefusal>> {
    try {
      const state = await readAuthorityState(this.#statePath);
      if (!state.ok) return err(refusal(authorityUnusable, state.error));
      const loaded = state.value === undefined ? await this.#begin() : await this.#resume(state.value);
      if (!loaded.ok) return err(refusal(authorityUnusable, loaded.error));
    } catch (error) {
      return err(refusal(authorityUnusable, messageOf(error)));
    }
    this.#timer = this.#options.clock.every(INTERMEDIATE_CHECK_MS, () => void this.#renewIntermediate());
    return ok(undefined);
  }

  get degraded(): string | undefined {
    const root = this.#root;
    const nowMs = this.#options.clock.nowMs();
    if (!root) return "there is no root";
    const [from, to] = [new Date(root.notBeforeMs).toISOString(), new Date(root.notAfterMs).toISOString()];
    if (nowMs >= root.notBeforeMs && nowMs < root.notAfterMs) return undefined;
    return `the root is valid from ${from} to ${to}, and it is ${new Date(nowMs).toISOString()}`;
  }

  get rotation(): RotationRecord | undefined {
    return this.#state.rotation;
  }

  get lastRotation(): PastRotation | undefined {
    return this.#state.last;
  }

  get signingRootSha256(): string {
    return this.#state.signing;
  }

  get roots(): readonly CaCertificate[] {
    const to = this.#state.rotation?.to;
    return this.#roots.map((root) => {
      const use = root.sha256 === this.#state.signing ? "signing" : root.sha256 === to ? "next" : "retiring";
      return view(root, use);
    });
  }

  get intermediates(): readonly CaCertificate[] {
    return this.#intermediate === undefined ? [] : [view(this.#intermediate, "signing")];
  }

  bundle(): TrustBundleRoots {
    return this.#bundle;
  }

  onBundleChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async issue(
    csrPem: string,
    spiffeId: string,
    ttlMs: number = this.#options.defaultTtlMs ?? DEFAULT_TTL_MS,
  ): Promise<Result<IssuedSvid, IssueRefusal>> {
    const result = await this.#issue(csrPem, spiffeId, ttlMs);
    if (result.ok) {
      this.#issued?.add(1);
      this.#options.onIssued?.(result.value);
    } else {
      this.#options.onRefused?.(spiffeId, result.error);
      this.#options.metrics
        ?.counter("ripstop_identity_refused_total", "Signing requests refused, by error code", {
          code: result.error.code,
        })
        .add(1);
    }
    return result;
  }

  startRotation(): Promise<Result<undefined, IssueRefusal>> {
    return this.#step(async () => {
      if (this.#state.rotation)
        return err(refusal(rotationUnderWay, `it is in the phase ${this.#state.rotation.phase}`));
      if (this.degraded !== undefined) return err(refusal(authorityExpired, this.degraded));
      const name = `${FIRST_ROOT}-${randomBytes(4).toString("hex")}`;
      const root = await this.#files.makeRoot(name);
      if (!root.ok) return err(refusal(authorityUnusable, root.error));
      const nowMs = this.#options.clock.nowMs();
      await this.#commit({
        ...this.#state,
        sequence: this.#state.sequence + 1,
        roots: [...this.#state.roots, { name, pem: root.value.pem }],
        rotation: {
          phase: "distribute",
          from: this.#state.signing,
          to: root.value.sha256,
          startedMs: nowMs,
          phaseSinceMs: nowMs,
          forced: [],
        },
      });
      return ok(undefined);
    });
  }

  switchSigner(forced: readonly string[]): Promise<Result<undefined, IssueRefusal>> {
    return this.#step(async () => {
      const rotation = this.#inPhase("distribute");
      if (!rotation.ok) return rotation;
      const { to } = rotation.value;
      const entry = this.#state.roots[this.#roots.findIndex(({ sha256 }) => sha256 === to)];
      const root = entry === undefined ? ok(undefined) : await this.#files.loadRoot(entry.name, entry.pem);
      if (!root.ok) return err(refusal(authorityUnusable, root.error));
      if (!entry || !root.value) return err(refusal(authorityUnusable, "the new root is not there"));
      const made = await this.#files.makeIntermediate(intermediateName(entry.name), root.value);
      if (!made.ok) return err(refusal(authorityUnusable, made.error));
      // A renewal of the old intermediate that is under way must not put it back.
      await this.#renewing;
      await this.#commit({ ...this.#state, signing: to, rotation: this.#next(rotation.value, "move", forced) }, () => {
        this.#root = root.value;
        this.#intermediate = made.value;
      });
      return ok(undefined);
    });
  }

  withdrawOldRoot(forced: readonly string[]): Promise<Result<undefined, IssueRefusal>> {
    return this.#step(async () => {
      const rotation = this.#inPhase("move");
      if (!rotation.ok) return rotation;
      await this.#commit({
        ...this.#state,
        sequence: this.#state.sequence + 1,
        roots: this.#state.roots.filter((_, index) => this.#roots[index]?.sha256 === rotation.value.to),
        rotation: this.#next(rotation.value, "withdraw", forced),
      });
      await this.#clean();
      this.#checkpoint("old-root-destroyed");
      return ok(undefined);
    });
  }

  finishRotation(forced: readonly string[]): Promise<Result<undefined, IssueRefusal>> {
    return this.#step(async () => {
      const rotation = this.#inPhase("withdraw");
      if (!rotation.ok) return rotation;
      await this.#end("done", [...rotation.value.forced, ...forced], this.#state);
      return ok(undefined);
    });
  }

  abortRotation(): Promise<Result<undefined, IssueRefusal>> {
    return this.#step(async () => {
      const rotation = this.#inPhase("distribute");
      if (!rotation.ok) return rotation;
      await this.#end("given up", [], {
        ...this.#state,
        sequence: this.#state.sequence + 1,
        roots: this.#state.roots.filter((_, index) => this.#roots[index]?.sha256 !== rotation.value.to),
      });
      await this.#clean();
      return ok(undefined);
    });
  }

  recover(force: boolean): Promise<Result<undefined, IssueRefusal>> {
    return this.#step(async () => {
      const nowMs = this.#options.clock.nowMs();
      const isOver = this.#root === undefined || nowMs >= this.#root.notAfterMs;
      if (!isOver && !force) {
        const reason = this.degraded ?? `it is valid to ${new Date(this.#root?.notAfterMs ?? 0).toISOString()}`;
        return err(refusal(recoveryNotNeeded, reason));
      }
      const name = `${FIRST_ROOT}-${randomBytes(4).toString("hex")}`;
      const root = await this.#files.makeRoot(name);
      if (!root.ok) return err(refusal(authorityUnusable, root.error));
      const made = await this.#files.makeIntermediate(intermediateName(name), root.value);
      if (!made.ok) return err(refusal(authorityUnusable, made.error));
      await this.#renewing;
      const next: AuthorityState = {
        ...this.#state,
        // Also above what proxies have that knew a later state than this folder, which was put back from a copy.
        sequence: Math.max(this.#state.sequence + 1, Math.floor(nowMs / SECOND)),
        roots: [{ name, pem: root.value.pem }],
        signing: root.value.sha256,
      };
      await this.#end("recovered", [], next, () => {
        this.#root = root.value;
        this.#intermediate = made.value;
      });
      await this.#clean();
      return ok(undefined);
    });
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#timer?.clear();
    await this.#steps;
    await this.#renewing;
    await this.#log.close();
  }

  get #statePath(): string {
    return join(this.#options.directory, "authority.json");
  }

  async #issue(csrPem: string, spiffeId: string, ttlMs: number): Promise<Result<IssuedSvid, IssueRefusal>> {
    const id = parseSpiffeId(spiffeId);
    if (!id.ok) return err(refusal(identityNotIssuable, id.error));
    if (id.value.trustDomain !== this.trustDomain) {
      return err(refusal(identityNotIssuable, `the trust domain here is ${this.trustDomain}`));
    }
    if (id.value.path === "") return err(refusal(identityNotIssuable, "the id of a trust domain is not a workload's"));
    if (!isTtl(ttlMs)) return err(refusal(ttlOutOfRange, `${ttlMs} ms were asked for`));
    const allowed = this.#options.mayIssue?.(spiffeId) ?? ok(undefined);
    if (!allowed.ok) return allowed;
    const key = await checkCsr(csrPem, spiffeId);
    if (!key.ok) return key;

    if (this.degraded !== undefined) return err(refusal(authorityExpired, this.degraded));
    await this.#renewIntermediate();
    // Both of one moment: a rotation may switch them while the certificate is made.
    const [signer, rootSha256] = [this.#intermediate, this.#state.signing];
    const nowMs = this.#options.clock.nowMs();
    if (!signer || nowMs >= signer.notAfterMs)
      return err(refusal(authorityExpired, "the signing certificate has expired"));
    const notBeforeMs = floorSecond(nowMs - BACKDATE_MS);
    const notAfterMs = floorSecond(Math.min(nowMs + ttlMs, signer.notAfterMs));
    const leaf = await makeCertificate(
      {
        subject: LEAF_SUBJECT,
        issuer: signer.subject,
        issuerKeyId: signer.keyId,
        uri: spiffeId,
        publicKey: key.value,
        notBeforeMs,
        notAfterMs,
        pathLength: undefined,
      },
      signer.key,
    );
    const { serialNumber } = leaf;
    const record = { timeMs: nowMs, kind: "svid", spiffeId, notBeforeMs, notAfterMs } as const;
    try {
      await this.#log.append({ ...record, serialNumber, keySha256: sha256Hex(key.value) });
    } catch (error) {
      return err(refusal(issuanceNotLogged, messageOf(error)));
    }
    return ok({ spiffeId, chainPem: leaf.pem + signer.chainPem, notBeforeMs, notAfterMs, serialNumber, rootSha256 });
  }

  /** A folder without state: a new one, or one of a version that had one root and kept no state. */
  async #begin(): Promise<Result<undefined, string>> {
    const loaded = await this.#files.loadRoot(FIRST_ROOT);
    if (!loaded.ok) return loaded;
    if (!loaded.value && (await this.#files.has(intermediateName(FIRST_ROOT)))) {
      return err("root.crt.pem is missing beside an intermediate");
    }
    const root = loaded.value ? ok(loaded.value) : await this.#files.makeRoot(FIRST_ROOT);
    if (!root.ok) return root;
    const intermediate = await this.#loadOrMakeIntermediate(FIRST_ROOT, root.value);
    if (!intermediate.ok) return intermediate;
    const roots = [{ name: FIRST_ROOT, pem: root.value.pem }];
    await this.#commit({ version: 1, sequence: 1, roots, signing: root.value.sha256 }, () => {
      this.#root = root.value;
      this.#intermediate = intermediate.value;
    });
    return ok(undefined);
  }

  async #resume(state: AuthorityState): Promise<Result<undefined, string>> {
    this.#take(state);
    const index = this.#roots.findIndex(({ sha256 }) => sha256 === state.signing);
    const entry = state.roots[index];
    if (entry === undefined) return err("authority.json does not hold the root that signs");
    const root = await this.#files.loadRoot(entry.name, entry.pem);
    if (!root.ok) return root;
    if (!root.value) return err(`${entry.name}.crt.pem is not there`);
    const intermediate = await this.#loadOrMakeIntermediate(entry.name, root.value);
    if (!intermediate.ok) return intermediate;
    this.#root = root.value;
    this.#intermediate = intermediate.value;
    await this.#clean();
    return ok(undefined);
  }

  /** None when the root is not valid now: nothing can be issued until a recovery. */
  async #loadOrMakeIntermediate(rootName: string, root: Ca): Promise<Result<Ca | undefined, string>> {
    const name = intermediateName(rootName);
    const loaded = await this.#files.loadIntermediate(name, root);
    if (!loaded.ok) return loaded;
    const nowMs = this.#options.clock.nowMs();
    if (nowMs < root.notBeforeMs || nowMs >= root.notAfterMs) return ok(undefined);
    if (loaded.value && !this.#isDue(loaded.value, root)) return ok(loaded.value);
    return this.#files.makeIntermediate(name, root);
  }

  /** True at half of the intermediate's life, when a new one would live longer. */
  #isDue(ca: CaFacts, root: CaFacts): boolean {
    const nowMs = this.#options.clock.nowMs();
    if (nowMs < ca.notBeforeMs || nowMs >= ca.notAfterMs) return true;
    const lifeMs = ca.notAfterMs - ca.notBeforeMs;
    const gainMs = this.#files.intermediateEndMs(root) - ca.notAfterMs;
    return nowMs - ca.notBeforeMs >= lifeMs / 2 && gainMs > lifeMs / 10;
  }

  /** Replaces the intermediate at half life. A failure is logged and tried again: the old one is good for weeks. */
  #renewIntermediate(): Promise<void> {
    const { logger } = this.#options;
    const root = this.#root;
    const entry = this.#state.roots[this.#roots.findIndex(({ sha256 }) => sha256 === root?.sha256)];
    if (this.#renewing) return this.#renewing;
    if (!root || !entry || !this.#intermediate || this.degraded !== undefined) return Promise.resolve();
    if (!this.#isDue(this.#intermediate, root)) return Promise.resolve();
    const failed = (cause: string): void => logger?.error("intermediate certificate not renewed", { cause });
    this.#renewing = this.#files
      .makeIntermediate(intermediateName(entry.name), root)
      .then(
        (made) => {
          if (made.ok && this.#root === root) this.#intermediate = made.value;
          else if (!made.ok) failed(made.error);
        },
        (error: unknown) => failed(messageOf(error)),
      )
      .finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  #inPhase(phase: RotationRecord["phase"]): Result<RotationRecord, IssueRefusal> {
    const { rotation } = this.#state;
    if (rotation?.phase === phase) return ok(rotation);
    return err(refusal(rotationNotPossible, rotation ? `the phase is ${rotation.phase}` : "no rotation is under way"));
  }

  #next(rotation: RotationRecord, phase: RotationRecord["phase"], forced: readonly string[]): RotationRecord {
    const known = rotation.forced.filter((id) => !forced.includes(id));
    return { ...rotation, phase, phaseSinceMs: this.#options.clock.nowMs(), forced: [...known, ...forced] };
  }

  /** Commits `state` without its rotation, which becomes the last one. */
  async #end(
    outcome: PastRotation["outcome"],
    forced: readonly string[],
    { rotation, ...state }: AuthorityState,
    apply?: () => void,
  ): Promise<void> {
    const finishedMs = this.#options.clock.nowMs();
    const startedMs = rotation?.startedMs ?? finishedMs;
    await this.#commit({ ...state, last: { outcome, startedMs, finishedMs, forced: [...new Set(forced)] } }, apply);
  }

  /** Makes a state durable, then takes it over with `apply`, then tells. */
  async #commit(state: AuthorityState, apply?: () => void): Promise<void> {
    const step = state.rotation?.phase ?? state.last?.outcome ?? "begun";
    this.#checkpoint(`before-${step}`);
    await writeAuthorityState(this.#statePath, state);
    this.#checkpoint(`committed-${step}`);
    this.#take(state);
    apply?.();
    for (const listener of [...this.#listeners]) listener();
    this.#checkpoint(`told-${step}`);
  }

  #take(state: AuthorityState): void {
    this.#state = state;
    this.#roots = state.roots.map(({ pem }) => caFacts(pem));
    this.#bundle = {
      pem: this.#roots.map(({ pem }) => pem).join(""),
      der: this.#roots.map(({ der }) => der),
      sequence: state.sequence,
    };
  }

  /** Destroys the keys of roots that are not in the state: given up, withdrawn, or never finished. */
  async #clean(): Promise<void> {
    const names = new Set(this.#state.roots.flatMap(({ name }) => [name, intermediateName(name)]));
    const cleaned = await this.#files.removeAllBut(names);
    if (!cleaned.ok) this.#options.logger?.error("the key of an old root was not destroyed", { cause: cleaned.error });
  }

  /** Runs a step when those before it are over; what the disk refuses becomes RS2010. */
  #step(run: () => Promise<Result<undefined, IssueRefusal>>): Promise<Result<undefined, IssueRefusal>> {
    const guarded = async (): Promise<Result<undefined, IssueRefusal>> => {
      try {
        return await run();
      } catch (error) {
        const kind: ErrorKind = authorityUnusable;
        return err(refusal(kind, messageOf(error)));
      }
    };
    const step = this.#steps.then(guarded);
    this.#steps = step;
    return step;
  }

  #checkpoint(step: string): void {
    this.#options.checkpoint?.(step);
  }
}

function view(facts: CaFacts, use: CaCertificate["use"]): CaCertificate {
  const { sha256, subjectText, serialNumber, notBeforeMs, notAfterMs } = facts;
  return { sha256, subject: subjectText, serialNumber, notBeforeMs, notAfterMs, use, origin: "own" };
}

function intermediateName(rootName: string): string {
  return rootName.replace(/^root/, "intermediate");
}

function isTtl(ms: number): boolean {
  return ms >= MIN_TTL_MS && ms <= MAX_TTL_MS;
}

function floorSecond(ms: number): number {
  return Math.floor(ms / SECOND) * SECOND;
}
