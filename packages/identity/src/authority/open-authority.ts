// The certificate authority of one trust domain: roots that are trusted, one of which signs through an intermediate.
// Made at the first start, or supplied in files; exchanged step by step (rotation) or at once (recovery). Who may take a
// step when is decided by the control plane; that a step is done wholly or not at all is decided here.

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { err, ok, type Clock, type Result, type Timer } from "@ripstop/core";
import type { Counter, Logger, MetricRegistry } from "@ripstop/telemetry";

import {
  authorityExpired,
  authorityUnusable,
  recoveryNotNeeded,
  rotationNotPossible,
  rotationUnderWay,
  ttlOutOfRange,
} from "../errors.ts";
import { parseSpiffeId } from "../spiffe-id.ts";
import type { TrustBundleRoots } from "../trust-bundle.ts";
import { AuthorityBook, viewOf, type BookRoot } from "./authority-book.ts";
import {
  authorityStateFile,
  type AuthorityState,
  type AuthorityStateStore,
  type PastRotation,
  type RotationRecord,
} from "./authority-state.ts";
import type { CaCertificate, IssuedSvid, IssueRefusal, OpenAuthority } from "./authority.ts";
import { caFacts, type Ca, type CaFacts } from "./ca-certificate.ts";
import { CaFiles } from "./ca-files.ts";
import { refusal } from "./csr-check.ts";
import {
  checkExternalCa,
  ExternalCaWatch,
  readAll,
  type ExternalCa,
  type ExternalCaFiles,
  type ExternalCaTexts,
} from "./external-ca.ts";
import { IssuanceLog } from "./issuance-log.ts";
import { issueSvid, isTtl, type Signer } from "./issue-svid.ts";
import { FileKeyStore, makePrivateDirectory, messageOf, type KeyKind, type KeyStore } from "./key-store.ts";
import type { SharedAuthority } from "./shared-authority.ts";

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
  /** What several control planes have in common, in place of files; not together with `external`. */
  readonly shared?: SharedAuthority;
  /** An intermediate that was made elsewhere; without, root and intermediate are made here. */
  readonly external?: ExternalCaFiles;
  readonly logger?: Logger;
  readonly metrics?: MetricRegistry;
  /** Lifetime of an SVID when none is asked for, 10 s … 24 h; default 1 h. */
  readonly defaultTtlMs?: number;
  /** Lifetime of a root that is made from now on; default 10 years. */
  readonly rootLifetimeMs?: number;
  /** Called when files of an external intermediate were replaced by something that does not fit, with the reason. */
  onExternalRefused?(reason: string): void;
  /** Called after each durable step of making and exchanging certificates, with its name: for tests of crashes. */
  readonly checkpoint?: (step: string) => void;
  /** Asked before anything is signed; a refusal is given to the caller. Default: everyone may. */
  readonly mayIssue?: (spiffeId: string) => Result<undefined, IssueRefusal>;
  /** Hears of every SVID issued. Must not throw. */
  onIssued?(svid: IssuedSvid): void;
  /** Hears of every request refused. Must not throw. */
  onRefused?(spiffeId: string, refusal: IssueRefusal): void;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const DEFAULT_TTL_MS = HOUR;
const ROOT_LIFETIME_MS = 3650 * DAY;
const INTERMEDIATE_CHECK_MS = HOUR;
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

type Step = Result<undefined, IssueRefusal>;

class FileAuthority implements OpenAuthority {
  readonly trustDomain: string;
  readonly #options: AuthorityOptions;
  readonly #files: CaFiles;
  readonly #log: IssuanceLog;
  readonly #state: AuthorityStateStore;
  readonly #book: AuthorityBook;
  readonly #issued: Counter | undefined;
  /** The root that signs, when its key is ours. */
  #root: Ca | undefined;
  #intermediate: Ca | undefined;
  /** What the files of the external intermediate held last; it may wait for its turn to sign. */
  #external: ExternalCa | undefined;
  #externalProblem: string | undefined;
  #watch: ExternalCaWatch | undefined;
  #timer: Timer | undefined;
  #unwatch: (() => void) | undefined;
  #renewing: Promise<void> | undefined;
  /** Steps that change the state come one after the other. */
  #steps: Promise<unknown> = Promise.resolve();

  constructor(options: AuthorityOptions, log: IssuanceLog) {
    const checkpoint = (step: string): void => options.checkpoint?.(step);
    this.trustDomain = options.trustDomain;
    this.#options = options;
    this.#log = log;
    this.#state = options.shared?.state ?? authorityStateFile(join(options.directory, "authority.json"));
    this.#book = new AuthorityBook(this.#state, options.clock, checkpoint);
    this.#files = new CaFiles({
      directory: options.directory,
      trustDomain: options.trustDomain,
      clock: options.clock,
      keys: options.shared?.keys ?? options.keyStore ?? new FileKeyStore(options.directory),
      keyKind: options.keyKind ?? "ec-p256",
      log,
      rootLifetimeMs: options.rootLifetimeMs ?? ROOT_LIFETIME_MS,
      checkpoint,
    });
    this.#issued = options.metrics?.counter("ripstop_identity_issued_total", "X.509-SVIDs issued");
  }

  async load(): Promise<Step> {
    const { external, clock } = this.#options;
    try {
      const state = await this.#state.read();
      if (!state.ok) return err(refusal(authorityUnusable, state.error));
      const loaded =
        external !== undefined
          ? await this.#loadExternal(external, state.value)
          : await (state.value === undefined ? this.#begin() : this.#resume(state.value));
      if (!loaded.ok) return err(refusal(authorityUnusable, loaded.error));
    } catch (error) {
      return err(refusal(authorityUnusable, messageOf(error)));
    }
    this.#timer = clock.every(INTERMEDIATE_CHECK_MS, () => void this.#renewIntermediate());
    this.#unwatch = this.#state.watch(() => void this.#step(() => this.#follow()));
    return ok(undefined);
  }

  /** Another control plane took a step: takes it over, with an intermediate of its own under the root that signs now. */
  async #follow(): Promise<Step> {
    const failed = (cause: string): Step => {
      this.#options.logger?.error("a change of the shared authority was not taken over", { cause });
      return ok(undefined);
    };
    const read = await this.#state.read();
    if (!read.ok) return failed(read.error);
    const next = read.value;
    const { state } = this.#book;
    // The own steps come back here too; an older state is one that somebody put back.
    if (next === undefined || next.sequence < state.sequence || isDeepStrictEqual(next, state)) return ok(undefined);
    let signing: Signing | undefined;
    if (next.signing !== state.signing || this.#intermediate === undefined) {
      const entry = next.roots.find(({ pem }) => caFacts(pem).sha256 === next.signing);
      if (entry === undefined) return failed("the root that signs is not in it");
      const root = await this.#files.loadRoot(entry.name, entry.pem);
      if (!root.ok || !root.value) return failed(root.ok ? `the key of ${entry.name} is not there` : root.error);
      const intermediate = await this.#loadOrMakeIntermediate(entry.name, root.value);
      if (!intermediate.ok) return failed(intermediate.error);
      signing = { root: root.value, intermediate: intermediate.value };
      await this.#renewing;
    }
    this.#book.take(next);
    if (signing !== undefined) this.#sign(signing);
    this.#book.tell();
    await this.#clean();
    return ok(undefined);
  }

  get degraded(): string | undefined {
    const root = this.#book.find(this.#book.state.signing)?.facts;
    const nowMs = this.#options.clock.nowMs();
    if (!root) return "there is no root";
    if (!isValid(root, nowMs)) return `the root is ${lifeOf(root)}, and it is ${new Date(nowMs).toISOString()}`;
    if (this.#intermediate === undefined) return this.#externalProblem ?? "there is no intermediate";
    const isOver = this.#options.external !== undefined && nowMs >= this.#intermediate.notAfterMs;
    return isOver ? `the intermediate is ${lifeOf(this.#intermediate)}` : undefined;
  }

  get rotation(): RotationRecord | undefined {
    return this.#book.state.rotation;
  }

  get lastRotation(): PastRotation | undefined {
    return this.#book.state.last;
  }

  get signingRootSha256(): string {
    return this.#book.state.signing;
  }

  get roots(): readonly CaCertificate[] {
    return this.#book.views;
  }

  get intermediates(): readonly CaCertificate[] {
    if (this.#intermediate === undefined) return [];
    return [viewOf(this.#intermediate, "signing", this.#root === undefined ? "external" : "own")];
  }

  bundle(): TrustBundleRoots {
    return this.#book.bundle;
  }

  onBundleChange(listener: () => void): () => void {
    return this.#book.watch(listener);
  }

  async issue(
    csrPem: string,
    spiffeId: string,
    ttlMs: number = this.#options.defaultTtlMs ?? DEFAULT_TTL_MS,
  ): Promise<Result<IssuedSvid, IssueRefusal>> {
    const { clock, metrics } = this.#options;
    const context = {
      trustDomain: this.trustDomain,
      clock,
      log: this.#log,
      mayIssue: this.#options.mayIssue,
      signer: () => this.#signer(),
    };
    const result = await issueSvid(context, { csrPem, spiffeId, ttlMs });
    if (result.ok) {
      this.#issued?.add(1);
      this.#options.onIssued?.(result.value);
    } else {
      this.#options.onRefused?.(spiffeId, result.error);
      metrics
        ?.counter("ripstop_identity_refused_total", "Signing requests refused, by error code", {
          code: result.error.code,
        })
        .add(1);
    }
    return result;
  }

  startRotation(): Promise<Step> {
    return this.#step(async () => {
      const { state } = this.#book;
      if (state.rotation) return err(refusal(rotationUnderWay, `it is in the phase ${state.rotation.phase}`));
      if (this.#options.external) return err(refusal(rotationNotPossible, EXCHANGE_FILES));
      if (this.degraded !== undefined) return err(refusal(authorityExpired, this.degraded));
      const name = newRootName();
      const root = await this.#files.makeRoot(name);
      if (!root.ok) return err(refusal(authorityUnusable, root.error));
      await this.#book.commit({
        ...state,
        sequence: state.sequence + 1,
        roots: [...state.roots, { name, pem: root.value.pem }],
        rotation: this.#book.begin("distribute", root.value.sha256),
      });
      return ok(undefined);
    });
  }

  switchSigner(forced: readonly string[]): Promise<Step> {
    return this.#step(async () => {
      const rotation = this.#book.inPhase("distribute");
      if (!rotation.ok) return rotation;
      const { to } = rotation.value;
      const entry = this.#book.find(to);
      const next = entry === undefined ? err("the new root is not there") : await this.#signerUnder(entry);
      if (!next.ok) return err(refusal(authorityUnusable, next.error));
      // A renewal of the old intermediate that is under way must not put it back.
      await this.#renewing;
      const state = { ...this.#book.state, signing: to, rotation: this.#book.next(rotation.value, "move", forced) };
      await this.#book.commit(state, () => this.#sign(next.value));
      return ok(undefined);
    });
  }

  withdrawOldRoot(forced: readonly string[]): Promise<Step> {
    return this.#step(async () => {
      const rotation = this.#book.inPhase("move");
      if (!rotation.ok) return rotation;
      const { state, roots } = this.#book;
      // Files may go on naming the old root: then it is for their owner to take it out.
      const stays = new Set([rotation.value.to, ...(this.#external?.roots ?? []).map(({ sha256 }) => sha256)]);
      await this.#book.commit({
        ...state,
        sequence: state.sequence + 1,
        roots: state.roots.filter((_, index) => stays.has(roots[index]?.facts.sha256 ?? "")),
        rotation: this.#book.next(rotation.value, "withdraw", forced),
      });
      await this.#clean(state);
      this.#options.checkpoint?.("old-root-destroyed");
      return ok(undefined);
    });
  }

  async finishRotation(forced: readonly string[]): Promise<Step> {
    const finished = await this.#step(async () => {
      const rotation = this.#book.inPhase("withdraw");
      if (!rotation.ok) return rotation;
      await this.#book.end("done", [...rotation.value.forced, ...forced], this.#book.state);
      return ok(undefined);
    });
    // Files that were replaced meanwhile had to wait.
    if (finished.ok && this.#options.external) await this.#onExternal(await readAll(this.#options.external));
    return finished;
  }

  abortRotation(): Promise<Step> {
    return this.#step(async () => {
      const rotation = this.#book.inPhase("distribute");
      if (!rotation.ok) return rotation;
      const { state, roots } = this.#book;
      await this.#book.end("given up", [], {
        ...state,
        sequence: state.sequence + 1,
        roots: state.roots.filter((_, index) => roots[index]?.facts.sha256 !== rotation.value.to),
      });
      await this.#clean(state);
      return ok(undefined);
    });
  }

  recover(force: boolean): Promise<Step> {
    return this.#step(async () => {
      if (this.#options.external) return err(refusal(rotationNotPossible, EXCHANGE_FILES));
      const nowMs = this.#options.clock.nowMs();
      const { state } = this.#book;
      const old = this.#book.find(state.signing)?.facts;
      if (old !== undefined && nowMs < old.notAfterMs && !force) {
        return err(refusal(recoveryNotNeeded, this.degraded ?? `it is ${lifeOf(old)}`));
      }
      const name = newRootName();
      const root = await this.#files.makeRoot(name);
      if (!root.ok) return err(refusal(authorityUnusable, root.error));
      const made = await this.#files.makeIntermediate(intermediateName(name), root.value);
      if (!made.ok) return err(refusal(authorityUnusable, made.error));
      await this.#renewing;
      const next: AuthorityState = {
        ...state,
        // Also above what proxies have that knew a later state than this folder, which was put back from a copy.
        sequence: Math.max(state.sequence + 1, Math.floor(nowMs / 1000)),
        roots: [{ name, pem: root.value.pem }],
        signing: root.value.sha256,
      };
      await this.#book.end("recovered", [], next, () => this.#sign({ root: root.value, intermediate: made.value }));
      await this.#clean(state);
      return ok(undefined);
    });
  }

  async lookAtFiles(): Promise<void> {
    await this.#watch?.check();
  }

  async close(): Promise<void> {
    this.#book.close();
    this.#unwatch?.();
    this.#timer?.clear();
    await this.#watch?.close();
    await this.#steps;
    await this.#renewing;
    await this.#log.close();
  }

  async #signer(): Promise<Result<Signer, IssueRefusal>> {
    if (this.degraded === undefined) await this.#renewIntermediate();
    const problem = this.degraded;
    if (problem !== undefined || !this.#intermediate) return err(refusal(authorityExpired, problem ?? ""));
    return ok({ ca: this.#intermediate, rootSha256: this.#book.state.signing });
  }

  #sign({ root, intermediate }: Signing): void {
    this.#root = root;
    this.#intermediate = intermediate;
    this.#externalProblem = undefined;
  }

  /** Root (when its key is ours) and a fresh intermediate below a root of the bundle. */
  async #signerUnder(entry: BookRoot): Promise<Result<Signing, string>> {
    if (entry.name === "") {
      const external = this.#external;
      if (external?.root.sha256 !== entry.facts.sha256)
        return err("the files do not hold the new intermediate any more");
      return ok({ root: undefined, intermediate: external.signer });
    }
    const root = await this.#files.loadRoot(entry.name, entry.pem);
    if (!root.ok) return root;
    if (!root.value) return err("the new root is not there");
    const made = await this.#files.makeIntermediate(intermediateName(entry.name), root.value);
    return made.ok ? ok({ root: root.value, intermediate: made.value }) : made;
  }

  /** A folder without state: a new one, or one of a version that had one root and kept no state. */
  async #begin(): Promise<Result<undefined, string>> {
    // Of several that begin at one moment each has a root of its own name, and the first state stands.
    if (this.#options.shared !== undefined) return this.#beginWith(newRootName(), undefined);
    const loaded = await this.#files.loadRoot(FIRST_ROOT);
    if (!loaded.ok) return loaded;
    if (!loaded.value && (await this.#files.has(intermediateName(FIRST_ROOT)))) {
      return err("root.crt.pem is missing beside an intermediate");
    }
    return this.#beginWith(FIRST_ROOT, loaded.value);
  }

  async #beginWith(name: string, there: Ca | undefined): Promise<Result<undefined, string>> {
    const root = there ? ok(there) : await this.#files.makeRoot(name);
    if (!root.ok) return root;
    const intermediate = await this.#loadOrMakeIntermediate(name, root.value);
    if (!intermediate.ok) return intermediate;
    const roots = [{ name, pem: root.value.pem }];
    await this.#book.commit({ version: 1, sequence: 1, roots, signing: root.value.sha256 }, () =>
      this.#sign({ root: root.value, intermediate: intermediate.value }),
    );
    return ok(undefined);
  }

  async #resume(state: AuthorityState): Promise<Result<undefined, string>> {
    this.#book.take(state);
    const entry = this.#book.find(state.signing);
    if (entry === undefined) return err("authority.json does not hold the root that signs");
    if (entry.name === "") return err("the root that signs came in files of an external authority: name them again");
    const root = await this.#files.loadRoot(entry.name, entry.pem);
    if (!root.ok) return root;
    if (!root.value) return err(`${entry.name}.crt.pem is not there`);
    const intermediate = await this.#loadOrMakeIntermediate(entry.name, root.value);
    if (!intermediate.ok) return intermediate;
    this.#sign({ root: root.value, intermediate: intermediate.value });
    await this.#clean();
    return ok(undefined);
  }

  async #loadExternal(files: ExternalCaFiles, state: AuthorityState | undefined): Promise<Result<undefined, string>> {
    if (state !== undefined) {
      this.#book.take(state);
      // A mesh that had a root of its own goes over by a rotation, and until then signs with what it has.
      if (this.#book.find(state.signing)?.name !== "") {
        const resumed = await this.#resume(state);
        if (!resumed.ok) return resumed;
      }
    }
    const texts = await readAll(files);
    const external = texts.ok ? this.#checkExternal(texts.value) : texts;
    if (external.ok) await this.#takeExternal(external.value);
    else if (state === undefined) return external;
    else this.#refuseExternal(external.error);
    this.#watch = new ExternalCaWatch(files, texts.ok ? texts.value : { chain: "", key: "", roots: "" }, {
      clock: this.#options.clock,
      onChange: (changed) => this.#onExternal(changed),
    });
    return ok(undefined);
  }

  #checkExternal(texts: ExternalCaTexts): Result<ExternalCa, string> {
    return checkExternalCa(texts, this.trustDomain, this.#options.clock.nowMs());
  }

  async #onExternal(texts: Result<ExternalCaTexts, string>): Promise<void> {
    const step = await this.#step(async () => {
      const external = texts.ok ? this.#checkExternal(texts.value) : texts;
      if (external.ok) await this.#takeExternal(external.value);
      else this.#refuseExternal(external.error);
      return ok(undefined);
    });
    if (!step.ok) this.#refuseExternal(step.error.message);
  }

  #refuseExternal(reason: string): void {
    if (this.#intermediate === undefined) this.#externalProblem = `the external intermediate cannot be used: ${reason}`;
    this.#options.onExternalRefused?.(reason);
  }

  /** An intermediate under the same root signs at once; under another one it waits until everyone trusts that. */
  async #takeExternal(external: ExternalCa): Promise<void> {
    const { state } = this.#book;
    const roots = external.roots.map(({ pem }) => ({ name: "", pem }));
    const to = external.root.sha256;
    const signing: Signing = { root: undefined, intermediate: external.signer };
    if (state.sequence === 0) {
      this.#external = external;
      await this.#book.commit({ version: 1, sequence: 1, roots, signing: to }, () => this.#sign(signing));
      return;
    }
    const { rotation } = state;
    if (rotation !== undefined && rotation.to !== to) return;
    this.#external = external;
    if (rotation?.phase === "distribute") return;
    const known = new Set(this.#book.roots.map(({ facts }) => facts.sha256));
    const added = external.roots.filter(({ sha256 }) => !known.has(sha256));
    const union = [...state.roots, ...added.map(({ pem }) => ({ name: "", pem }))];
    if (state.signing === to) {
      this.#sign(signing);
      const isSame = added.length === 0 && known.size === external.roots.length;
      const wanted = rotation === undefined ? roots : union;
      if (!isSame && (rotation === undefined || added.length > 0)) {
        await this.#book.commit({ ...state, sequence: state.sequence + 1, roots: wanted });
      } else {
        this.#book.tell();
      }
      return;
    }
    // Nobody can sign with the old one any more after a restart: the new one does so at once.
    const phase = this.#intermediate === undefined ? "move" : "distribute";
    const next = { ...state, sequence: state.sequence + 1, roots: union, rotation: this.#book.begin(phase, to) };
    if (phase === "distribute") await this.#book.commit(next);
    else await this.#book.commit({ ...next, signing: to }, () => this.#sign(signing));
  }

  /** None when the root is not valid now: nothing can be issued until a recovery. */
  async #loadOrMakeIntermediate(rootName: string, root: Ca): Promise<Result<Ca | undefined, string>> {
    const name = intermediateName(rootName);
    const loaded = await this.#files.loadIntermediate(name, root);
    if (!loaded.ok) return loaded;
    if (!isValid(root, this.#options.clock.nowMs())) return ok(undefined);
    if (loaded.value && !this.#isDue(loaded.value, root)) return ok(loaded.value);
    return this.#files.makeIntermediate(name, root);
  }

  /** True at half of the intermediate's life, when a new one would live longer. */
  #isDue(ca: CaFacts, root: CaFacts): boolean {
    const nowMs = this.#options.clock.nowMs();
    if (!isValid(ca, nowMs)) return true;
    const lifeMs = ca.notAfterMs - ca.notBeforeMs;
    const gainMs = this.#files.intermediateEndMs(root) - ca.notAfterMs;
    return nowMs - ca.notBeforeMs >= lifeMs / 2 && gainMs > lifeMs / 10;
  }

  /** Replaces the intermediate at half life. A failure is logged and tried again: the old one is good for weeks. */
  #renewIntermediate(): Promise<void> {
    const { logger } = this.#options;
    const root = this.#root;
    if (this.#renewing) return this.#renewing;
    const entry = root === undefined ? undefined : this.#book.find(root.sha256);
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

  /** Destroys the keys of roots that are not in the state: given up, withdrawn (`before` had them), or never finished. */
  async #clean(before?: AuthorityState): Promise<void> {
    const names = new Set(this.#book.state.roots.flatMap(({ name }) => [name, intermediateName(name)]));
    const failed = (cause: string): void =>
      this.#options.logger?.error("the key of an old root was not destroyed", { cause });
    const cleaned = await this.#files.removeAllBut(names);
    if (!cleaned.ok) failed(cleaned.error);
    if (this.#options.shared === undefined) return;
    // Another control plane may have made them: then there are no files of them here.
    for (const { name } of before?.roots ?? []) {
      if (name === "" || names.has(name)) continue;
      // oxlint-disable-next-line no-await-in-loop -- a handful at most
      const removed = await this.#files.remove(name);
      if (!removed.ok) failed(removed.error);
    }
  }

  /** Runs a step when those before it are over; what the disk refuses becomes RS2010. */
  #step(run: () => Promise<Step>): Promise<Step> {
    const guarded = async (): Promise<Step> => {
      try {
        return await run();
      } catch (error) {
        return err(refusal(authorityUnusable, messageOf(error)));
      }
    };
    const step = this.#steps.then(guarded);
    this.#steps = step;
    return step;
  }
}

/** Who signs: the root only when its key is ours. */
interface Signing {
  readonly root: Ca | undefined;
  readonly intermediate: Ca | undefined;
}

const EXCHANGE_FILES = "its intermediate comes in files: put a new one there, and the mesh goes over to it by itself";

function newRootName(): string {
  return `${FIRST_ROOT}-${randomBytes(4).toString("hex")}`;
}

function intermediateName(rootName: string): string {
  return rootName.replace(/^root/, "intermediate");
}

function isValid({ notBeforeMs, notAfterMs }: CaFacts, nowMs: number): boolean {
  return nowMs >= notBeforeMs && nowMs < notAfterMs;
}

function lifeOf({ notBeforeMs, notAfterMs }: CaFacts): string {
  return `valid from ${new Date(notBeforeMs).toISOString()} to ${new Date(notAfterMs).toISOString()}`;
}
