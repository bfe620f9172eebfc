// The settings of the control plane: where each stands in the configuration file, and its flag and variable.

import { controlPlaneConfigKind, isRecord, type JsonSchema } from "@ripstop/resources";

/** One setting. */
export interface Setting {
  /** Fields from spec on: ["store", "etcd", "prefix"]. */
  readonly path: readonly string[];
  readonly flag: string;
  /** RIPSTOP_CONTROL_STORE_ETCD_PREFIX. */
  readonly variable: string;
  readonly schema: JsonSchema;
}

/** Flags that are not named after their field. */
const FLAGS: Readonly<Record<string, string>> = {
  trustDomain: "--trust-domain",
  "api.address": "--api-address",
  "api.certificateFile": "--api-cert",
  "api.keyFile": "--api-key",
  "dashboard.port": "--dashboard-port",
  "stream.address": "--stream-address",
  "join.address": "--join-address",
  "store.keepRevisions": "--keep-revisions",
  "store.etcd.endpoints": "--etcd",
  "store.etcd.prefix": "--etcd-prefix",
  "store.etcd.caFile": "--etcd-ca",
  "store.etcd.certificateFile": "--etcd-cert",
  "store.etcd.keyFile": "--etcd-key",
  "authority.svidTtl": "--svid-ttl",
  "authority.keyKind": "--ca-key",
  "authority.rootLifetime": "--root-lifetime",
  "authority.externalDirectory": "--external-ca",
  "authority.sharedKeyFile": "--authority-key-file",
  "replica.host": "--replica-address",
  "bundleEndpoint.address": "--bundle-endpoint",
  "bundleEndpoint.certificateFile": "--bundle-endpoint-cert",
  "bundleEndpoint.keyFile": "--bundle-endpoint-key",
};

/** All of them, in the order of the schema. */
export const settings: readonly Setting[] = leavesOf(controlPlaneConfigKind.schema, []);

/** The name under which commander keeps the value of a flag: "apiCert". */
export function optionOf(flag: string): string {
  return flag.slice(2).replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function leavesOf(schema: JsonSchema, path: readonly string[]): readonly Setting[] {
  const { properties } = schema;
  if (!isRecord(properties)) {
    const variable = `RIPSTOP_CONTROL_${path.map(upperSnake).join("_")}`;
    return [{ path, flag: FLAGS[path.join(".")] ?? `--${path.map(kebab).join("-")}`, variable, schema }];
  }
  return Object.entries(properties).flatMap(([name, child]) =>
    isRecord(child) ? leavesOf(child, [...path, name]) : [],
  );
}

function upperSnake(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}

function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
