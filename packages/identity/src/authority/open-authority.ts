// The certificate authority of one trust domain: a root, an intermediate that signs, both made at the first start.

import { createHash, X509Certificate } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { err, ok, type Clock, type Result, type Timer } from "@ripstop/core";
import type { Counter, Logger, MetricRegistry } from "@ripstop/telemetry";

import {
  authorityExpired,
  authorityUnusable,
  identityNotIssuable,
  issuanceNotLogged,
  ttlOutOfRange,
} from "../errors.ts";
import { parseSpiffeId } from "../spiffe-id.ts";
import type { TrustBundleRoots } from "../trust-bundle.ts";
import type { Authority, IssuedSvid, IssueRefusal } from "./authority.ts";
import { makeCertificate } from "./certificate-maker.ts";
import { checkCsr, refusal } from "./csr-check.ts";
import { IssuanceLog, type IssuanceRecord } from "./issuance-log.ts";
import {
  FileKeyStore,
  isMissing,
  makePrivateDirectory,
  messageOf,
  writePrivateFile,
  type KeyStore,
  type SigningKey,
} from "./key-store.ts";

/** How to open the authority. */
export interface AuthorityOptions {
  /** Folder for keys, certificates and the log; made with mode 0700. */
  readonly directory: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  /** Default: files in `directory`. */
  readonly keyStore?: KeyStore;
  readonly logger?: Logger;
  readonly metrics?: MetricRegistry;
  /** Lifetime of an SVID when none is asked for, 10 s … 24 h; default 1 h. */
  readonly defaultTtlMs?: number;
}

/** An authority that holds files and a timer until closed. */
export interface OpenAuthority extends Authority {
  close(): Promise<void>;
}

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const MIN_TTL_MS = 10 * SECOND;
const MAX_TTL_MS = 24 * HOUR;
const DEFAULT_TTL_MS = HOUR;
/** Clocks that are behind by up to this accept a fresh certificate. */
const BACKDATE_MS = 5 * 60 * SECOND;
const CA_BACKDATE_MS = HOUR;
const ROOT_LIFETIME_MS = 3650 * DAY;
const INTERMEDIATE_LIFETIME_MS = 90 * DAY;
const INTERMEDIATE_CHECK_MS = HOUR;
const LEAF_SUBJECT = "O=Ripstop";

interface Ca {
  readonly key: SigningKey;
  readonly pem: string;
  readonly subject: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Opens the authority in `directory`, making what is missing; fails with RS2010 or RS2011. */
export async function openAuthority(options: AuthorityOptions): Promise<Result<OpenAuthority, IssueRefusal>> {
  const id = parseSpiffeId(`spiffe://${options.trustDomain}`);
  if (!id.ok) return err(refusal(authorityUnusable, id.error));
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
  readonly #keys: KeyStore;
  readonly #log: IssuanceLog;
  readonly #issued: Counter | undefined;
  #root: Ca | undefined;
  #intermediate: Ca | undefined;
  #bundle: TrustBundleRoots = { pem: "", der: [], sequence: 0 };
  readonly #listeners = new Set<() => void>();
  #timer: Timer | undefined;
  #renewing: Promise<void> | undefined;

  constructor(options: AuthorityOptions, log: IssuanceLog) {
    this.trustDomain = options.trustDomain;
    this.#options = options;
    this.#keys = options.keyStore ?? new FileKeyStore(options.directory);
    this.#log = log;
    this.#issued = options.metrics?.counter("ripstop_identity_issued_total", "X.509-SVIDs issued");
  }

  async load(): Promise<Result<undefined, IssueRefusal>> {
    try {
      const root = await this.#loadOrMakeRoot();
      if (!root.ok) return err(refusal(authorityUnusable, root.error));
      const nowMs = this.#options.clock.nowMs();
      if (nowMs < root.value.notBeforeMs || nowMs >= root.value.notAfterMs) {
        const [from, to] = [
          new Date(root.value.notBeforeMs).toISOString(),
          new Date(root.value.notAfterMs).toISOString(),
        ];
        return err(refusal(authorityExpired, `it is valid from ${from} to ${to}`));
      }
      this.#root = root.value;
      this.#bundle = { pem: root.value.pem, der: [new X509Certificate(root.value.pem).raw], sequence: 1 };
      const intermediate = await this.#loadOrMakeIntermediate(root.value);
      if (!intermediate.ok) return err(refusal(authorityUnusable, intermediate.error));
      this.#intermediate = intermediate.value;
    } catch (error) {
      return err(refusal(authorityUnusable, messageOf(error)));
    }
    this.#timer = this.#options.clock.every(INTERMEDIATE_CHECK_MS, () => void this.#renewIntermediate());
    return ok(undefined);
  }

  async issue(
    csrPem: string,
    spiffeId: string,
    ttlMs: number = this.#options.defaultTtlMs ?? DEFAULT_TTL_MS,
  ): Promise<Result<IssuedSvid, IssueRefusal>> {
    const result = await this.#issue(csrPem, spiffeId, ttlMs);
    if (result.ok) {
      this.#issued?.add(1);
    } else {
      this.#options.metrics
        ?.counter("ripstop_identity_refused_total", "Signing requests refused, by error code", {
          code: result.error.code,
        })
        .add(1);
    }
    return result;
  }

  bundle(): TrustBundleRoots {
    return this.#bundle;
  }

  get signingRootSha256(): string {
    return sha256(this.#bundle.der[0] ?? Buffer.alloc(0));
  }

  onBundleChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#timer?.clear();
    await this.#renewing;
    await this.#log.close();
  }

  async #issue(csrPem: string, spiffeId: string, ttlMs: number): Promise<Result<IssuedSvid, IssueRefusal>> {
    const id = parseSpiffeId(spiffeId);
    if (!id.ok) return err(refusal(identityNotIssuable, id.error));
    if (id.value.trustDomain !== this.trustDomain) {
      return err(refusal(identityNotIssuable, `the trust domain here is ${this.trustDomain}`));
    }
    if (id.value.path === "") return err(refusal(identityNotIssuable, "the id of a trust domain is not a workload's"));
    if (!(ttlMs >= MIN_TTL_MS && ttlMs <= MAX_TTL_MS)) return err(refusal(ttlOutOfRange, `${ttlMs} ms were asked for`));
    const key = await checkCsr(csrPem, spiffeId);
    if (!key.ok) return key;

    await this.#renewIntermediate();
    const signer = this.#intermediate;
    const nowMs = this.#options.clock.nowMs();
    if (!signer || nowMs >= signer.notAfterMs)
      return err(refusal(authorityExpired, "the signing certificate has expired"));
    const notBeforeMs = floorSecond(nowMs - BACKDATE_MS);
    const notAfterMs = floorSecond(Math.min(nowMs + ttlMs, signer.notAfterMs));
    const leaf = await makeCertificate(
      {
        subject: LEAF_SUBJECT,
        issuer: signer.subject,
        uri: spiffeId,
        publicKey: key.value,
        notBeforeMs,
        notAfterMs,
        pathLength: undefined,
      },
      signer.key,
    );
    const record = { timeMs: nowMs, kind: "svid", spiffeId, notBeforeMs, notAfterMs } as const;
    try {
      await this.#log.append({ ...record, serialNumber: leaf.serialNumber, keySha256: sha256(key.value) });
    } catch (error) {
      return err(refusal(issuanceNotLogged, messageOf(error)));
    }
    return ok({
      spiffeId,
      chainPem: leaf.pem + signer.pem,
      notBeforeMs,
      notAfterMs,
      serialNumber: leaf.serialNumber,
      rootSha256: this.signingRootSha256,
    });
  }

  async #loadOrMakeRoot(): Promise<Result<Ca, string>> {
    const loaded = await this.#loadCa("root");
    if (!loaded.ok) return loaded;
    if (loaded.value) return ok(loaded.value);
    if (existsSync(this.#certificatePath("intermediate"))) return err("root.crt.pem is missing beside an intermediate");
    return this.#makeCa("root", undefined);
  }

  async #loadOrMakeIntermediate(root: Ca): Promise<Result<Ca, string>> {
    const loaded = await this.#loadCa("intermediate");
    if (!loaded.ok) return loaded;
    if (loaded.value) {
      const certificate = new X509Certificate(loaded.value.pem);
      if (!certificate.verify(new X509Certificate(root.pem).publicKey)) {
        return err("intermediate.crt.pem is not signed by root.crt.pem");
      }
      if (!this.#isHalfOver(loaded.value)) return ok(loaded.value);
    }
    return this.#makeCa("intermediate", root);
  }

  #isHalfOver(ca: Ca): boolean {
    const nowMs = this.#options.clock.nowMs();
    return nowMs < ca.notBeforeMs || nowMs - ca.notBeforeMs >= (ca.notAfterMs - ca.notBeforeMs) / 2;
  }

  /** Replaces the intermediate at half life. A failure is logged and tried again: the old one is good for weeks. */
  #renewIntermediate(): Promise<void> {
    const { logger } = this.#options;
    if (!this.#root || !this.#intermediate || !this.#isHalfOver(this.#intermediate)) return Promise.resolve();
    this.#renewing ??= this.#makeCa("intermediate", this.#root)
      .then(
        (made) => {
          if (made.ok) this.#intermediate = made.value;
          else logger?.error("intermediate certificate not renewed", { cause: made.error });
        },
        (error: unknown) => logger?.error("intermediate certificate not renewed", { cause: messageOf(error) }),
      )
      .finally(() => (this.#renewing = undefined));
    return this.#renewing;
  }

  async #loadCa(name: "root" | "intermediate"): Promise<Result<Ca | undefined, string>> {
    const key = await this.#keys.load(name);
    if (!key.ok) return key;
    let pem: string;
    try {
      pem = await readFile(this.#certificatePath(name), "utf8");
    } catch (error) {
      // A key without certificate is what a crash between the two leaves behind: nothing was signed with it yet.
      if (isMissing(error)) return ok(undefined);
      return err(messageOf(error));
    }
    if (!key.value) return err(`${name}.crt.pem is there without its key`);
    const certificate = new X509Certificate(pem);
    if (!certificate.publicKey.export({ format: "der", type: "spki" }).equals(key.value.publicKey)) {
      // A crash in the middle of a renewal leaves the new key beside the old certificate: make the pair anew.
      if (name === "intermediate") return ok(undefined);
      return err("root.crt.pem and its key do not belong together");
    }
    if (certificate.subjectAltName !== `URI:spiffe://${this.trustDomain}`) {
      return err(`${name}.crt.pem is for ${certificate.subjectAltName}, not for the trust domain ${this.trustDomain}`);
    }
    const subject = subjectOf(name, this.trustDomain);
    return ok({
      key: key.value,
      pem,
      subject,
      notBeforeMs: Date.parse(certificate.validFrom),
      notAfterMs: Date.parse(certificate.validTo),
    });
  }

  async #makeCa(name: "root" | "intermediate", parent: Ca | undefined): Promise<Result<Ca, string>> {
    const key = await this.#keys.create(name);
    if (!key.ok) return key;
    const nowMs = this.#options.clock.nowMs();
    const notBeforeMs = floorSecond(nowMs - CA_BACKDATE_MS);
    const lifetimeMs = parent ? INTERMEDIATE_LIFETIME_MS : ROOT_LIFETIME_MS;
    const notAfterMs = floorSecond(Math.min(nowMs + lifetimeMs, parent?.notAfterMs ?? Infinity));
    const subject = subjectOf(name, this.trustDomain);
    const spiffeId = `spiffe://${this.trustDomain}`;
    const made = await makeCertificate(
      {
        subject,
        issuer: parent?.subject ?? subject,
        uri: spiffeId,
        publicKey: key.value.publicKey,
        notBeforeMs,
        notAfterMs,
        pathLength: parent ? 0 : 1,
      },
      parent?.key ?? key.value,
    );
    const record: IssuanceRecord = {
      timeMs: nowMs,
      kind: name,
      spiffeId,
      serialNumber: made.serialNumber,
      notBeforeMs,
      notAfterMs,
      keySha256: sha256(key.value.publicKey),
    };
    await this.#log.append(record);
    await writePrivateFile(this.#certificatePath(name), made.pem);
    return ok({ key: key.value, pem: made.pem, subject, notBeforeMs, notAfterMs });
  }

  #certificatePath(name: string): string {
    return join(this.#options.directory, `${name}.crt.pem`);
  }
}

function subjectOf(name: "root" | "intermediate", trustDomain: string): string {
  return `CN=Ripstop ${name} of ${trustDomain.slice(0, 40)}, O=Ripstop`;
}

function floorSecond(ms: number): number {
  return Math.floor(ms / SECOND) * SECOND;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
