// Status conditions of HTTPRoutes as the Gateway API has them, with the time at which each last changed. Computed by
// dependency like everything else; the times are durable, so that a restart does not seem to change anything.

import type { Clock } from "@ripstop/core";
import type { RouteCondition, RouteParentStatus } from "@ripstop/policies/http-route";
import { resourceKey, type Resource } from "@ripstop/resources";
import type { Logger } from "@ripstop/telemetry";

import type { Store, Table } from "../store/store.ts";
import { compileRouteStatus } from "./compile-routes.ts";
import { CompileQueue } from "./compile-queue.ts";
import type { Compiler } from "./compiler.ts";
import { DependencyMemo } from "./dependency-memo.ts";

/** Parent and type of a condition → its status and since when. */
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

type ParentStatuses = readonly RouteParentStatus[] | undefined;

/** Follows the conditions of every HTTPRoute. */
export class Conditions {
  readonly #options: ConditionsOptions;
  readonly #memo = new DependencyMemo<ParentStatuses>(() => undefined);
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
    for (const route of options.store.list("HTTPRoute")) this.#follow(resourceKey(route));
    const stop = options.compiler.onAffected((affected) => this.#onAffected(affected));
    const unwatch = options.table.watch((key, times) => {
      if (times !== undefined && options.leads?.() === false) this.#times.set(key, times);
    });
    this.#stop = () => {
      stop();
      unwatch();
    };
  }

  /** The resource with its status, for those kinds that have one. */
  withStatus(resource: Resource): Resource {
    if (resource.kind !== "HTTPRoute") return resource;
    const key = resourceKey(resource);
    const times = this.#times.get(key) ?? {};
    const parents = (this.#follow(key) ?? []).map(({ controllerName, parentRef, conditions }, index) => ({
      parentRef,
      controllerName,
      conditions: conditions.map((condition) => ({
        ...condition,
        lastTransitionTime: new Date(times[timeKey(index, condition)]?.sinceMs ?? 0)
          .toISOString()
          .replace(/\.\d+Z$/, "Z"),
      })),
    }));
    return { ...resource, status: { parents } };
  }

  /** Stops following. */
  close(): void {
    this.#stop();
    this.#queue.close();
  }

  #follow(key: string): ParentStatuses {
    const status = this.#memo.get(key, (read) => compileRouteStatus(this.#options.compiler.world.view(read), key));
    this.#recordTimes(key, status);
    return status;
  }

  #onAffected(affected: ReadonlySet<string>): void {
    const keys = new Set(this.#memo.markStale(affected));
    for (const name of affected) if (name.startsWith("resource:HTTPRoute/")) keys.add(name.slice("resource:".length));
    this.#queue.add(
      [...keys].map((key) => ({ key, namespace: "", revision: 0, urgent: false })),
      0,
    );
  }

  #renew(key: string): void {
    const renewed = this.#memo.recompute(key);
    if (renewed === undefined) {
      if (this.#options.store.get(key) !== undefined) this.#follow(key);
      return;
    }
    this.#recordTimes(key, renewed.after);
    if (renewed.after === undefined) this.#memo.delete(key);
  }

  #recordTimes(key: string, status: ParentStatuses): void {
    const { table, clock } = this.#options;
    const before = this.#times.get(key);
    const leads = this.#options.leads?.() ?? true;
    if (status === undefined) {
      if (this.#times.delete(key) && leads) this.#inBackground(table.remove(key));
      return;
    }
    const times: Record<string, { status: string; sinceMs: number }> = {};
    let isChanged = before === undefined;
    for (const [index, { conditions }] of status.entries()) {
      for (const condition of conditions) {
        const name = timeKey(index, condition);
        const known = before?.[name];
        if (known?.status !== condition.status) isChanged = true;
        times[name] = known?.status === condition.status ? known : { status: condition.status, sinceMs: clock.nowMs() };
      }
    }
    if (!isChanged) return;
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

function timeKey(index: number, { type }: RouteCondition): string {
  return `${index} ${type}`;
}
