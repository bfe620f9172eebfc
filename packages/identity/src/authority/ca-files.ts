// The authority's own CA certificates: made, kept in its folder as NAME.crt.pem, and read again with their keys.

import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { err, ok, type Clock, type Result } from "@ripstop/core";

import { caFacts, hasSigned, sha256Hex, type Ca, type CaFacts } from "./ca-certificate.ts";
import { keyId, makeCertificate } from "./certificate-maker.ts";
import type { IssuanceLog } from "./issuance-log.ts";
import { isMissing, messageOf, writePrivateFile, type KeyKind, type KeyStore } from "./key-store.ts";

/** What the files need. */
export interface CaFilesOptions {
  readonly directory: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly keys: KeyStore;
  readonly keyKind: KeyKind;
  readonly log: IssuanceLog;
  readonly rootLifetimeMs: number;
  /** Called after each durable step, with its name. */
  readonly checkpoint: (step: string) => void;
}

const SECOND = 1000;
const CA_BACKDATE_MS = 3600 * SECOND;
const INTERMEDIATE_LIFETIME_MS = 90 * 24 * 3600 * SECOND;
const OWN_FILE = /^((?:root|intermediate)(?:-[0-9a-f]{8})?)\.(?:key|crt)\.pem(?:\.new)?$/;

/** Reads and makes roots and intermediates. */
export class CaFiles {
  readonly #options: CaFilesOptions;

  constructor(options: CaFilesOptions) {
    this.#options = options;
  }

  /** The root of that name with its key, undefined when there is none; `pem` is its certificate, else that of the file. */
  async loadRoot(name: string, pem?: string): Promise<Result<Ca | undefined, string>> {
    const loaded = await this.#load(name, pem);
    if (!loaded.ok) return loaded;
    if (loaded.value === undefined) return ok(undefined);
    if (loaded.value.key !== undefined) return ok({ ...loaded.value.facts, key: loaded.value.key, chainPem: "" });
    return err(`${name}.crt.pem and its key do not belong together`);
  }

  /** The intermediate of that name when it is there, whole, and signed by `root`; a crash may have left half of one. */
  async loadIntermediate(name: string, root: CaFacts): Promise<Result<Ca | undefined, string>> {
    const loaded = await this.#load(name);
    if (!loaded.ok) return loaded;
    if (loaded.value === undefined) return ok(undefined);
    const { facts, key } = loaded.value;
    // A crash in the middle of a renewal leaves the new key beside the old certificate: make the pair anew.
    if (key === undefined) return ok(undefined);
    if (!hasSigned(root, facts)) return err(`${name}.crt.pem is not signed by its root`);
    return ok({ ...facts, key, chainPem: facts.pem });
  }

  /** Makes a root; its subject holds a part of its key's identifier, so that no two roots have one name. */
  async makeRoot(name: string): Promise<Result<Ca, string>> {
    return this.#make(name, "root", undefined);
  }

  /** Makes an intermediate under `root`. */
  async makeIntermediate(name: string, root: Ca): Promise<Result<Ca, string>> {
    return this.#make(name, "intermediate", root);
  }

  /** End of the life that an intermediate made now would have. */
  intermediateEndMs(root: CaFacts): number {
    return floorSecond(Math.min(this.#options.clock.nowMs() + INTERMEDIATE_LIFETIME_MS, root.notAfterMs));
  }

  /** True when there is a certificate file of that name. */
  async has(name: string): Promise<boolean> {
    const read = await readFile(this.#path(name), "utf8").then(
      () => true,
      (error: unknown) => !isMissing(error),
    );
    return read;
  }

  /** Destroys the keys and removes the certificates of all roots and intermediates but those named. */
  async removeAllBut(names: ReadonlySet<string>): Promise<Result<undefined, string>> {
    try {
      const found = new Set<string>();
      for (const file of await readdir(this.#options.directory)) {
        const name = OWN_FILE.exec(file)?.[1];
        if (name !== undefined && !names.has(name)) found.add(name);
      }
      for (const name of found) {
        // oxlint-disable-next-line no-await-in-loop -- a handful at most
        const removed = await this.remove(name);
        if (!removed.ok) return removed;
      }
      return ok(undefined);
    } catch (error) {
      return err(messageOf(error));
    }
  }

  /** Destroys one key and removes its certificate. */
  async remove(name: string): Promise<Result<undefined, string>> {
    const removed = await this.#options.keys.remove(name);
    if (!removed.ok) return removed;
    try {
      await rm(this.#path(name), { force: true });
      return ok(undefined);
    } catch (error) {
      return err(messageOf(error));
    }
  }

  /** Facts and key; the key is undefined when it is not the certificate's. */
  async #load(
    name: string,
    known?: string,
  ): Promise<Result<{ readonly facts: CaFacts; readonly key: Ca["key"] | undefined } | undefined, string>> {
    const { keys, trustDomain } = this.#options;
    const key = await keys.load(name);
    if (!key.ok) return key;
    let facts: CaFacts;
    try {
      facts = caFacts(known ?? (await readFile(this.#path(name), "utf8")));
    } catch (error) {
      // A key without certificate is what a crash between the two leaves behind: nothing was signed with it yet.
      if (isMissing(error)) return ok(undefined);
      return err(`${name}.crt.pem: ${messageOf(error)}`);
    }
    if (!key.value) return err(`${name}.crt.pem is there without its key`);
    if (facts.uriName !== `spiffe://${trustDomain}`) {
      return err(`${name}.crt.pem is for ${String(facts.uriName)}, not for the trust domain ${trustDomain}`);
    }
    const isPair = Buffer.compare(facts.publicKey, key.value.publicKey) === 0;
    return ok({ facts, key: isPair ? key.value : undefined });
  }

  async #make(name: string, kind: "root" | "intermediate", parent: Ca | undefined): Promise<Result<Ca, string>> {
    const { keys, keyKind, clock, trustDomain, log, rootLifetimeMs, checkpoint } = this.#options;
    const key = await keys.create(name, keyKind);
    if (!key.ok) return key;
    checkpoint(`${kind}-key`);
    const nowMs = clock.nowMs();
    const notBeforeMs = floorSecond(nowMs - CA_BACKDATE_MS);
    const notAfterMs = parent ? this.intermediateEndMs(parent) : floorSecond(nowMs + rootLifetimeMs);
    const mark = keyId(key.value.publicKey).slice(0, 8);
    const subject = `CN=Ripstop ${kind} ${mark} of ${trustDomain.slice(0, 31)}, O=Ripstop`;
    const spiffeId = `spiffe://${trustDomain}`;
    const made = await makeCertificate(
      {
        subject,
        issuer: parent?.subject ?? subject,
        issuerKeyId: parent ? parent.keyId : keyId(key.value.publicKey),
        uri: spiffeId,
        publicKey: key.value.publicKey,
        notBeforeMs,
        notAfterMs,
        pathLength: parent ? 0 : 1,
      },
      parent?.key ?? key.value,
    );
    await log.append({
      timeMs: nowMs,
      kind,
      spiffeId,
      serialNumber: made.serialNumber,
      notBeforeMs,
      notAfterMs,
      keySha256: sha256Hex(key.value.publicKey),
    });
    checkpoint(`${kind}-logged`);
    await writePrivateFile(this.#path(name), made.pem);
    checkpoint(`${kind}-written`);
    const facts = caFacts(made.pem);
    return ok({ ...facts, key: key.value, chainPem: parent ? facts.pem : "" });
  }

  #path(name: string): string {
    return join(this.#options.directory, `${name}.crt.pem`);
  }
}

function floorSecond(ms: number): number {
  return Math.floor(ms / SECOND) * SECOND;
}
