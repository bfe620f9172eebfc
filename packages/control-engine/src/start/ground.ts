// What every part of a control plane stands on: the home, its store, and the list of what its end undoes.

import { err, ok, type Result } from "@ripstop/core";
import { parseSpiffeId } from "@ripstop/identity";
import { SealingKey } from "@ripstop/identity/authority";
import type { Logger } from "@ripstop/telemetry";

import type { ControlOptions } from "../control-options.ts";
import { authorityKeyUnusable, replicaOptionsInvalid, trustDomainFixed } from "../errors.ts";
import { EventLog } from "../events/event-log.ts";
import type { Failure } from "../failure.ts";
import { readMemory, type MeshMemory } from "../home/home-files.ts";
import { openStore } from "../store/open-store.ts";
import type { Store } from "../store/store.ts";

/** Where a control plane listens that was not told otherwise. */
export const LOOPBACK = "127.0.0.1";
const DEFAULT_TRUST_DOMAIN = "mesh.local";

/** Steps that undo a start, done from the last to the first. */
export type Undo = (() => Promise<void> | void)[];

/** What all parts of a control plane stand on. */
export interface Ground {
  readonly options: ControlOptions;
  readonly undo: Undo;
  /** Sentences for the user. */
  readonly notices: string[];
  /** What the last start left in the home. */
  readonly memory: MeshMemory;
  readonly trustDomain: string;
  readonly events: EventLog;
  readonly store: Store;
  /** Of an authority that several control planes share; undefined when this one is alone. */
  readonly seal: SealingKey | undefined;
  /** Whether this control plane may do what only one of several may. */
  readonly leads: () => boolean;
}

/** Reads the home and opens the store. */
export async function openGround(options: ControlOptions, undo: Undo): Promise<Result<Ground, Failure>> {
  const { home, clock, logger } = options;
  const memory = readMemory(home);
  const trustDomain = chooseTrustDomain(options, memory);
  if (!trustDomain.ok) return trustDomain;
  const events = new EventLog(clock, logger);
  const seal = await sealingKey(options);
  if (!seal.ok) return seal;
  const store = await openStore({
    home,
    clock,
    etcd: options.etcd,
    ...(seal.value === undefined ? {} : { shared: { meshId: seal.value.meshId } }),
    ...(options.keepRevisions === undefined ? {} : { keepRevisions: options.keepRevisions }),
  });
  undo.push(() => store.close());
  return ok({
    options,
    undo,
    notices: [],
    memory,
    trustDomain: trustDomain.value,
    events,
    store,
    seal: seal.value,
    leads: () => store.replication?.isLeader ?? true,
  });
}

/** The logger, when there is one: for options that may be absent but not undefined. */
export function given({ logger }: { readonly logger?: Logger | undefined }): { readonly logger?: Logger } {
  return logger === undefined ? {} : { logger };
}

/** The key of an authority that several share; undefined when this control plane is alone. */
async function sealingKey(options: ControlOptions): Promise<Result<SealingKey | undefined, Failure>> {
  const { authorityKeyFile, etcd, externalCaDirectory } = options;
  if (authorityKeyFile === undefined) return ok(undefined);
  if (etcd === undefined) return err({ kind: replicaOptionsInvalid, message: "there is no --etcd" });
  if (externalCaDirectory !== undefined)
    return err({ kind: replicaOptionsInvalid, message: `--external-ca ${externalCaDirectory}` });
  const key = await SealingKey.read(authorityKeyFile);
  return key.ok ? key : err({ kind: authorityKeyUnusable, message: key.error });
}

function chooseTrustDomain({ trustDomain, home }: ControlOptions, memory: MeshMemory): Result<string, Failure> {
  const chosen = trustDomain ?? memory.trustDomain ?? DEFAULT_TRUST_DOMAIN;
  const valid = parseSpiffeId(`spiffe://${chosen}`);
  if (!valid.ok)
    return err({ kind: trustDomainFixed, message: `${JSON.stringify(chosen)} is no trust domain: ${valid.error}` });
  if (memory.trustDomain === undefined || memory.trustDomain === chosen) return ok(chosen);
  return err({ kind: trustDomainFixed, message: `${home} is of ${memory.trustDomain}, not ${chosen}` });
}
