// Status conditions as the Gateway API has them, with the time at which each last changed. Computed by dependency like
// everything else; the times are durable, so that a restart does not seem to change anything.

import type { Clock } from "@ripstop/core";
import { isRecord, resourceKey, type Resource } from "@ripstop/resources";
import type { Logger } from "@ripstop/telemetry";

import type { Store, Table } from "../store/store.ts";
import { compileStatus, statusKinds } from "./compile-status.ts";
import { CompileQueue } from "./compile-queue.ts";
import type { Compiler } from "./compiler.ts";
import { DependencyMemo } from "./dependency-memo.ts";

/** Place and type of a condition → its status and since when. */
export type ConditionTimes = Readonly<Record<string, { readonly status: string; readonly sinceMs: number }>>;

/** What is needed to follow conditions. */
export interface ConditionsOptions {
  readonly store: Store;
  readonly compiler: Compiler;
  readonly table: Table<ConditionTimes>;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Of several control planes one writes the times, and the others take them over. Default: this one. */
  leads?(): boolean;
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

/** Follows the conditions of every resource of a kind that has some. */
export class Conditions {
  readonly #options: ConditionsOptions;
  readonly #memo = new DependencyMemo<object | undefined>(() => undefined);
  readonly #times = new Map<string, ConditionTimes>();
  readonly #queue: CompileQueue;
  readonly #stop: () => void;

  constructor(options: ConditionsOptions) {
    this.#options = options;
    this.#queue = new CompileQueue(
      { clock: options.clock, budgetMs: Infinity },
      (key) => this.#renew(key),
      () => undefined,
    );
    for (const [key, times] of options.table.entries()) this.#times.set(key, times);
    for (const kind of statusKinds) for (const one of options.store.list(kind)) this.#follow(resourceKey(one));
    const stop = options.compiler.onAffected((affected) => this.#onAffected(affected));
    const unwatch = options.table.watch((key, times) => {
      if (times !== undefined && options.leads?.() === false) this.#times.set(key, times);
    });
    this.#stop = () => {
      stop();
      unwatch();
    };
  }

  /** How often a status was computed. */
  get computed(): number {
    return this.#memo.computed;
  }

  /** The resource with its status, for those kinds that have one. */
  withStatus(resource: Resource): Resource {
    if (!statusKinds.includes(resource.kind)) return resource;
    const key = resourceKey(resource);
    const status = this.#follow(key);
    if (status === undefined) return resource;
    const times = this.#times.get(key) ?? {};
    const stamped = mapConditions(status, "", (name, condition) => ({
      ...condition,
      lastTransitionTime: new Date(times[name]?.sinceMs ?? 0).toISOString().replace(/\.\d+Z$/, "Z"),
    }));
    return { ...resource, status: stamped };
  }

  /** Stops following. */
  close(): void {
    this.#stop();
    this.#queue.close();
  }

  #follow(key: string): object | undefined {
    let isNew = false;
    const status = this.#memo.get(key, (read) => {
      isNew = true;
      return compileStatus(this.#options.compiler.world.view(read), key);
    });
    if (isNew) this.#recordTimes(key, status);
    return status;
  }

  #onAffected(affected: ReadonlySet<string>): void {
    const keys = new Set(this.#memo.markStale(affected));
    for (const name of affected) {
      const key = name.slice("resource:".length);
      const [kind = ""] = key.split("/", 1);
      if (name.startsWith("resource:") && statusKinds.includes(kind)) keys.add(key);
    }
    this.#queue.add(
      [...keys].map((key) => ({ key, namespace: "", revision: 0, urgent: false })),
      0,
    );
  }

  #renew(key: string): void {
    const isThere = this.#options.store.get(key) !== undefined;
    const renewed = this.#memo.recompute(key);
    if (renewed === undefined) {
      if (isThere) this.#follow(key);
      return;
    }
    this.#recordTimes(key, renewed.after);
    // One that is not ours now is followed on: it may become ours.
    if (!isThere) this.#memo.delete(key);
  }

  #recordTimes(key: string, status: object | undefined): void {
    const { table, clock } = this.#options;
    const before = this.#times.get(key);
    const leads = this.#options.leads?.() ?? true;
    if (status === undefined) {
      if (this.#times.delete(key) && leads) this.#inBackground(table.remove(key));
      return;
    }
    const times: Record<string, { status: string; sinceMs: number }> = {};
    mapConditions(status, "", (name, condition) => {
      const known = before?.[name];
      times[name] = known?.status === condition.status ? known : { status: condition.status, sinceMs: clock.nowMs() };
      return condition;
    });
    const names = Object.keys(times);
    const isSame =
      before !== undefined &&
      names.length === Object.keys(before).length &&
      names.every((name) => times[name] === before[name]);
    if (isSame) return;
    this.#times.set(key, times);
    if (leads) this.#inBackground(table.put(key, times));
  }

  #inBackground(write: Promise<void>): void {
    write.catch((error: unknown) => {
      // The times in memory hold; after a restart this condition seems to have changed then.
      this.#options.logger?.error("the time of a condition could not be stored", { error: String(error) });
    });
  }
}

/** A copy of a status with every condition replaced. Names of conditions hold their place: "parents.0 Accepted". */
function mapConditions(
  value: unknown,
  place: string,
  replace: (name: string, condition: Condition) => Condition,
): unknown {
  if (Array.isArray(value)) {
    return value.map((entry: unknown, index) => mapConditions(entry, `${place}.${nameOf(entry, index)}`, replace));
  }
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, child]) => [
      key,
      key === "conditions" && Array.isArray(child)
        ? child.map((one: unknown) => (isCondition(one) ? replace(`${place.slice(1)} ${one.type}`, one) : one))
        : mapConditions(child, `${place}.${key}`, replace),
    ]),
  );
}

/** Listeners keep their times when others come before them. */
function nameOf(entry: unknown, index: number): string {
  return isRecord(entry) && typeof entry["name"] === "string" ? entry["name"] : String(index);
}

function isCondition(value: unknown): value is Condition {
  return isRecord(value) && typeof value["type"] === "string" && typeof value["status"] === "string";
}
