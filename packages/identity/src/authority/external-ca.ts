// An intermediate that was made elsewhere (a company's own PKI) and lies in files: its certificate chain, its key, and the
// roots to trust. Read again when a file changes; what does not fit together is refused and the one before stays.

import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";

import { err, ok, type Clock, type Result, type Timer } from "@ripstop/core";

import { caFacts, hasSigned, sha256Hex, type Ca, type CaFacts } from "./ca-certificate.ts";
import { messageOf, signingKeyOf } from "./key-store.ts";

/** Where the files are. */
export interface ExternalCaFiles {
  /** The intermediate first, then what is between it and the root, PEM. */
  readonly chain: string;
  /** Its private key, PEM. */
  readonly key: string;
  /** The roots to trust, PEM. */
  readonly roots: string;
}

/** What the files hold, checked. */
export interface ExternalCa {
  readonly signer: Ca;
  /** All roots of the file, in its order. */
  readonly roots: readonly CaFacts[];
  /** The one that the signer's chain leads to. */
  readonly root: CaFacts;
}

const MAX_CHAIN = 4;
const MAX_ROOTS = 32;
const MAX_CHARACTERS = 256 * 1024;
const CHECK_MS = 2_000;
const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** Looks at the files every two seconds until closed. */
export class ExternalCaWatch {
  readonly #files: ExternalCaFiles;
  readonly #onChange: (texts: Result<ExternalCaTexts, string>) => Promise<void>;
  readonly #timer: Timer;
  #seen: string;
  #taken: string;
  #checking: Promise<void> | undefined;

  /** `onChange` is called once for each new content that stood still for one period: files are replaced one by one. */
  constructor(
    files: ExternalCaFiles,
    seen: ExternalCaTexts,
    options: { readonly clock: Clock; onChange(texts: Result<ExternalCaTexts, string>): Promise<void> },
  ) {
    this.#files = files;
    this.#seen = digest(ok(seen));
    this.#taken = this.#seen;
    this.#onChange = (texts) => options.onChange(texts);
    this.#timer = options.clock.every(CHECK_MS, () => void this.check());
  }

  /** Looks now; kept when what it found is dealt with. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => (this.#checking = undefined));
    return this.#checking;
  }

  /** Stops looking. */
  async close(): Promise<void> {
    this.#timer.clear();
    await this.#checking;
  }

  async #check(): Promise<void> {
    const texts = await readAll(this.#files);
    const now = digest(texts);
    const stoodStill = now === this.#seen;
    this.#seen = now;
    if (!stoodStill || now === this.#taken) return;
    this.#taken = now;
    await this.#onChange(texts);
  }
}

/** The contents of the three files. */
export interface ExternalCaTexts {
  readonly chain: string;
  readonly key: string;
  readonly roots: string;
}

/** Reads the three files; a sentence when one cannot be read. */
export async function readAll(files: ExternalCaFiles): Promise<Result<ExternalCaTexts, string>> {
  try {
    const [chain, key, roots] = await Promise.all(
      [files.chain, files.key, files.roots].map((path) => readFile(path, "utf8")),
    );
    return ok({ chain: chain ?? "", key: key ?? "", roots: roots ?? "" });
  } catch (error) {
    return err(messageOf(error));
  }
}

/** Whether the three belong together and may sign for the trust domain at this time. */
export function checkExternalCa(
  texts: ExternalCaTexts,
  trustDomain: string,
  nowMs: number,
): Result<ExternalCa, string> {
  try {
    const chain = certificates(texts.chain);
    const roots = certificates(texts.roots);
    const [signer] = chain;
    if (signer === undefined || chain.length > MAX_CHAIN)
      return err(`the chain has ${chain.length} certificates, not 1 to ${MAX_CHAIN}`);
    if (roots.length === 0 || roots.length > MAX_ROOTS)
      return err(`there are ${roots.length} roots, not 1 to ${MAX_ROOTS}`);
    const key = signingKeyOf(texts.key);
    if (!key.ok) return key;
    if (Buffer.compare(key.value.publicKey, signer.publicKey) !== 0)
      return err("the key does not belong to the first certificate of the chain");
    for (const one of [...chain, ...roots]) {
      const problem = unfit(one, trustDomain, nowMs);
      if (problem !== undefined) return err(problem);
    }
    for (const [index, one] of chain.entries()) {
      const upper = chain[index + 1];
      if (upper !== undefined && !hasSigned(upper, one))
        return err(`${one.subjectText} is not signed by the next one of the chain`);
    }
    const top = chain.at(-1) ?? signer;
    const root = roots.find((one) => one.sha256 !== top.sha256 && hasSigned(one, top));
    if (root === undefined) return err("the chain does not lead to one of the roots, or holds the root itself");
    return ok({ signer: { ...signer, key: key.value, chainPem: chain.map(({ pem }) => pem).join("") }, roots, root });
  } catch (error) {
    return err(messageOf(error));
  }
}

function certificates(text: string): readonly CaFacts[] {
  if (text.length > MAX_CHARACTERS) throw new Error(`a file has more than ${MAX_CHARACTERS} characters`);
  return (text.match(BLOCK) ?? []).map((pem) => caFacts(pem));
}

function unfit(facts: CaFacts, trustDomain: string, nowMs: number): string | undefined {
  const { subjectText, isCa, uriName, notBeforeMs, notAfterMs } = facts;
  if (!isCa || !new X509Certificate(facts.pem).ca) return `${subjectText} is not a certificate authority's`;
  // X.509-SVID, section 3: a signing certificate may have a SPIFFE id, and then that of the trust domain.
  if (uriName !== undefined && uriName !== `spiffe://${trustDomain}`)
    return `${subjectText} is for ${uriName}, not for ${trustDomain}`;
  if (nowMs < notBeforeMs || nowMs >= notAfterMs) {
    return `${subjectText} is valid from ${new Date(notBeforeMs).toISOString()} to ${new Date(notAfterMs).toISOString()}`;
  }
  return undefined;
}

function digest(texts: Result<ExternalCaTexts, string>): string {
  return sha256Hex(Buffer.from(JSON.stringify(texts.ok ? texts.value : texts.error)));
}
