// What the proxy role reads from its state directory (packages/model/src/bootstrap.ts).

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { err, ok, type Result } from "@ripstop/core";
import { identityFiles, stateFiles, type ProxyBootstrap, type ProxyPorts } from "@ripstop/model";

/** The SVID and key of a hosted workload, PEM. */
export interface StoredIdentity {
  readonly chainPem: string;
  readonly keyPem: string;
}

/** All that was there at the start. */
export interface ProxyState {
  readonly bootstrap: ProxyBootstrap;
  readonly bundlePem: string;
  readonly identities: ReadonlyMap<string, StoredIdentity>;
  /** Of an earlier run; undefined at the first start, or when the file is damaged. */
  readonly ports: ProxyPorts | undefined;
}

/** Reads everything; the error says which file is missing or damaged. */
export function readState(directory: string): Result<ProxyState, string> {
  try {
    const bootstrap: unknown = JSON.parse(readFileSync(join(directory, stateFiles.bootstrap), "utf8"));
    if (!isBootstrap(bootstrap)) return err(`${stateFiles.bootstrap} is not a bootstrap of version 1`);
    const bundlePem = readBundle(directory);
    const identities = new Map(bootstrap.workloads.map(({ id }) => [id, readIdentity(directory, id)]));
    return ok({ bootstrap, bundlePem, identities, ports: readPorts(directory) });
  } catch (cause) {
    return err(cause instanceof Error ? cause.message : String(cause));
  }
}

/** The current identity files of a workload. Throws as node:fs does. */
export function readIdentity(directory: string, workloadId: string): StoredIdentity {
  const files = identityFiles(workloadId);
  return {
    chainPem: readFileSync(join(directory, files.svid), "utf8"),
    keyPem: readFileSync(join(directory, files.key), "utf8"),
  };
}

/** The current bundle file. Throws as node:fs does. */
export function readBundle(directory: string): string {
  return readFileSync(join(directory, stateFiles.bundle), "utf8");
}

function readPorts(directory: string): ProxyPorts | undefined {
  try {
    const ports: unknown = JSON.parse(readFileSync(join(directory, stateFiles.ports), "utf8"));
    return isPorts(ports) ? ports : undefined;
  } catch {
    return undefined;
  }
}

// The supervisor of the same version wrote the file: the version stands for the shape.
function isBootstrap(value: unknown): value is ProxyBootstrap {
  return (
    typeof value === "object" &&
    value !== null &&
    "version" in value &&
    value.version === 1 &&
    "workloads" in value &&
    Array.isArray(value.workloads)
  );
}

function isPorts(value: unknown): value is ProxyPorts {
  return (
    typeof value === "object" &&
    value !== null &&
    "workloads" in value &&
    typeof value.workloads === "object" &&
    value.workloads !== null
  );
}
