// shop.json: which programs make the demo shop, and how each is run.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { err, ok, type Result } from "@ripstop/core";

/** One program of the shop. */
export interface ShopWorkload {
  readonly name: string;
  readonly service: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly protocol?: string;
  /** Absent: the program accepts no connections. */
  readonly servicePort?: number;
  readonly upstreams?: readonly string[];
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The shop. */
export interface ShopManifest {
  /** Folder that file names are relative to. */
  readonly directory: string;
  readonly namespace: string;
  /** Files of resources to apply first. */
  readonly resources: readonly string[];
  readonly workloads: readonly ShopWorkload[];
}

/** Reads shop.json of `directory`, or of the repository's own shop. The error is a sentence. */
export function readShop(directory: string | undefined): Result<ShopManifest, string> {
  const found = directory === undefined ? findShop() : resolve(directory);
  if (found === undefined) return err("no folder examples/bookshop beside this program");
  const file = join(found, "shop.json");
  try {
    const value: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isManifest(value)
      ? ok({ ...value, directory: found })
      : err(`${file} has no namespace, resources and workloads`);
  } catch (cause) {
    return err(`${file}: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** Upwards from this file: the built program may lie at several depths. */
function findShop(): string | undefined {
  for (
    let directory = dirname(fileURLToPath(import.meta.url));
    dirname(directory) !== directory;
    directory = dirname(directory)
  ) {
    const candidate = join(directory, "examples", "bookshop");
    if (existsSync(join(candidate, "shop.json"))) return candidate;
  }
  return undefined;
}

function isManifest(value: unknown): value is Omit<ShopManifest, "directory"> {
  return (
    typeof value === "object" &&
    value !== null &&
    "namespace" in value &&
    typeof value.namespace === "string" &&
    "resources" in value &&
    Array.isArray(value.resources) &&
    "workloads" in value &&
    Array.isArray(value.workloads) &&
    value.workloads.every(
      (one: unknown) => typeof one === "object" && one !== null && "command" in one && Array.isArray(one.command),
    )
  );
}

/** Arguments of `ripstop` that run one program of the shop. */
export function runArguments(shop: ShopManifest, workload: ShopWorkload, home: string): string[] {
  const [program = "", ...args] = workload.command;
  return [
    "run",
    ...["--home", home, "--service", workload.service, "--namespace", shop.namespace],
    ...(workload.servicePort === undefined ? [] : ["--port", "auto", "--service-port", String(workload.servicePort)]),
    ...(workload.protocol === undefined ? [] : ["--protocol", workload.protocol]),
    ...Object.entries(workload.labels ?? {}).flatMap(([key, value]) => ["--label", `${key}=${value}`]),
    ...(workload.upstreams ?? []).flatMap((upstream) => ["--upstream", upstream]),
    ...["--drain", "2s", "--end-with-parent", "--"],
    program === "node" ? process.execPath : program,
    ...args,
  ];
}
