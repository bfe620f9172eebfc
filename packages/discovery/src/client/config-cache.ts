// The last good config on disk, so that a proxy restarts and serves while the control plane is away.
//
// File: "RSC1", SHA-256 of the rest (32 bytes), then per type a length (4 bytes, big-endian) and a
// DeltaDiscoveryResponse: resources that exist with their versions, and the names known not to exist. Its nonce is the
// revision that the config was of, its tables revision that of the tables.

import { createHash } from "node:crypto";
import { promises, readFileSync } from "node:fs";

import { err, ok, type Clock, type Result, type Timer } from "@ripstop/core";
import { discovery } from "@ripstop/model";
import type { Logger } from "@ripstop/telemetry";

import { cacheUnusable } from "../errors.ts";

/** A resource as the stream last said; `bytes` undefined means that it does not exist. */
export interface CachedResource {
  readonly version: string;
  readonly bytes: Buffer | undefined;
}

/** Type URL → name → resource. */
export type CachedResources = ReadonlyMap<string, ReadonlyMap<string, CachedResource>>;

/** What a file holds. */
export interface CachedConfig {
  readonly resources: Map<string, Map<string, CachedResource>>;
  /** The newest revision that the resources were said to be of; 0 when that is not known. */
  readonly revision: number;
  /** The newest change of a table likewise. */
  readonly tablesRevision: number;
}

const MAGIC: Buffer = Buffer.from("RSC1");
const HASH_BYTES = 32;
const HEADER_BYTES = MAGIC.length + HASH_BYTES;
const DEBOUNCE_MS = 250;

/** Encodes resources of a revision for the file. `owner` is the proxy id: another proxy's cache is not read. */
export function encodeCache(
  owner: string,
  resources: CachedResources,
  { revision = 0, tablesRevision = 0 }: Partial<Pick<CachedConfig, "revision" | "tablesRevision">> = {},
): Buffer {
  const parts: Buffer[] = [];
  for (const [typeUrl, byName] of resources) {
    const message: discovery.DeltaDiscoveryResponse = {
      systemVersionInfo: owner,
      typeUrl,
      nonce: revision === 0 ? "" : String(revision),
      resources: [],
      removedResources: [],
      ...(tablesRevision === 0 ? {} : { tablesRevision }),
    };
    for (const [name, { version, bytes }] of byName) {
      if (bytes) message.resources.push({ name, version, aliases: [], resource: { typeUrl, value: bytes } });
      else message.removedResources.push(name);
    }
    const encoded = discovery.DeltaDiscoveryResponse.encode(message).finish();
    const length = Buffer.alloc(4);
    length.writeUInt32BE(encoded.length);
    parts.push(length, Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength));
  }
  const payload = Buffer.concat(parts);
  return Buffer.concat([MAGIC, createHash("sha256").update(payload).digest(), payload]);
}

/** Decodes a file; a sentence when it is damaged or another proxy's. */
export function decodeCache(owner: string, file: Buffer): Result<CachedConfig, string> {
  if (file.length < HEADER_BYTES || !file.subarray(0, MAGIC.length).equals(MAGIC))
    return err("it is not a config cache");
  const payload = file.subarray(HEADER_BYTES);
  if (!createHash("sha256").update(payload).digest().equals(file.subarray(MAGIC.length, HEADER_BYTES))) {
    return err("its checksum is wrong");
  }
  const resources = new Map<string, Map<string, CachedResource>>();
  let revision = 0;
  let tablesRevision = 0;
  try {
    for (let at = 0; at < payload.length;) {
      const end = at + 4 + payload.readUInt32BE(at);
      if (end > payload.length) return err("it is cut off");
      const message = discovery.DeltaDiscoveryResponse.decode(payload.subarray(at + 4, end));
      if (message.systemVersionInfo !== owner) return err(`it belongs to ${message.systemVersionInfo}`);
      const byName = new Map<string, CachedResource>();
      for (const { name, version, resource } of message.resources) {
        if (resource) byName.set(name, { version, bytes: Buffer.from(resource.value) });
      }
      for (const name of message.removedResources) byName.set(name, { version: "", bytes: undefined });
      resources.set(message.typeUrl, byName);
      revision = readRevision(message.nonce) ?? revision;
      tablesRevision = message.tablesRevision ?? tablesRevision;
      at = end;
    }
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
  return ok({ resources, revision, tablesRevision });
}

/** The revision in a text of the stream or the file; undefined when it is none. */
export function readRevision(text: string): number | undefined {
  const revision = Number(text);
  return text !== "" && Number.isSafeInteger(revision) && revision >= 0 ? revision : undefined;
}

/** How to keep the file. */
export interface ConfigCacheOptions {
  readonly path: string;
  /** The proxy id. */
  readonly owner: string;
  /** Another process of this proxy writes the file, until `lead`. Default false. */
  readonly follows?: boolean;
  readonly clock: Clock;
  readonly logger?: Logger;
}

/** Reads the file at start and writes it a quarter of a second after changes, atomically, mode 0600. */
export class ConfigCache {
  readonly #options: ConfigCacheOptions;
  readonly #collect: () => Omit<CachedConfig, "resources"> & { readonly resources: CachedResources };
  #timer: Timer | undefined;
  #writing: Promise<void> = Promise.resolve();
  #sealed = false;
  #follows: boolean;

  constructor(
    options: ConfigCacheOptions,
    collect: () => Omit<CachedConfig, "resources"> & { readonly resources: CachedResources },
  ) {
    this.#options = options;
    this.#follows = options.follows ?? false;
    this.#collect = collect;
  }

  /** What the file holds; nothing when there is none, or when it is damaged, which is logged. */
  read(): CachedConfig {
    const { path, owner, logger } = this.#options;
    let file: Buffer;
    try {
      file = readFileSync(path);
    } catch {
      return { resources: new Map(), revision: 0, tablesRevision: 0 };
    }
    const decoded = decodeCache(owner, file);
    if (decoded.ok) return decoded.value;
    logger?.warn(cacheUnusable.title, { code: cacheUnusable.code, path, cause: decoded.error });
    return { resources: new Map(), revision: 0, tablesRevision: 0 };
  }

  /** The file is this process's own from now on. */
  lead(): void {
    if (!this.#follows) return;
    this.#follows = false;
    this.touch();
  }

  /** Something changed: the file is written soon. */
  touch(): void {
    if (this.#sealed || this.#follows) return;
    this.#timer ??= this.#options.clock.after(DEBOUNCE_MS, () => {
      this.#timer = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    });
  }

  /** Writes what is due, and nothing from now on. */
  seal(): Promise<void> {
    this.#sealed = true;
    return this.flush();
  }

  /** Writes what is due and waits for it. */
  async flush(): Promise<void> {
    if (this.#timer) {
      this.#timer.clear();
      this.#timer = undefined;
      this.#writing = this.#writing.then(() => this.#write());
    }
    await this.#writing;
  }

  async #write(): Promise<void> {
    const { path, owner, logger } = this.#options;
    try {
      // node:fs loads these when they are asked for: traffic comes first.
      const { open, rename } = promises;
      const temporary = `${path}.new`;
      const file = await open(temporary, "w", 0o600);
      try {
        await file.chmod(0o600);
        const { resources, ...revisions } = this.#collect();
        await file.writeFile(encodeCache(owner, resources, revisions));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      logger?.warn("config cache not written", { path, cause: error instanceof Error ? error.message : String(error) });
    }
  }
}
