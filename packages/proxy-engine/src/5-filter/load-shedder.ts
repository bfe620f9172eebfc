// Load shedding at the workload's own proxy: when too much is under way, the least important requests are refused first, at
// once, so that those that are let in are answered in time.

import { GradientLimiter } from "@ripstop/balance";
import { LoadShedding_Priority, type LoadShedding } from "@ripstop/model";
import type { RequestInfo } from "@ripstop/policy-api/proxy";

/** What a request of some priority may fill of the limit. */
export interface PriorityClass {
  readonly name: string;
  /** 0 to 1. */
  readonly share: number;
}

const SHEDDABLE: PriorityClass = { name: "sheddable", share: 0.6 };
const LOW: PriorityClass = { name: "low", share: 0.8 };
const DEFAULT: PriorityClass = { name: "default", share: 0.95 };
const CRITICAL: PriorityClass = { name: "critical", share: 1 };

const BY_NAME: ReadonlyMap<string, PriorityClass> = new Map(
  [SHEDDABLE, LOW, DEFAULT, CRITICAL].map((priority) => [priority.name, priority]),
);

function classOf(priority: LoadShedding_Priority): PriorityClass {
  switch (priority) {
    case LoadShedding_Priority.SHEDDABLE:
      return SHEDDABLE;
    case LoadShedding_Priority.LOW:
      return LOW;
    case LoadShedding_Priority.CRITICAL:
      return CRITICAL;
    default:
      return DEFAULT;
  }
}

/** Counts what is under way in one workload. */
export class LoadShedder {
  #config: LoadShedding;
  readonly #limiter: GradientLimiter;

  constructor(config: LoadShedding) {
    this.#config = config;
    this.#limiter = new GradientLimiter({ ...boundsOf(config), initialLimit: config.maxRequests });
  }

  /** Other settings; what is under way goes on counting. */
  set config(config: LoadShedding) {
    this.#config = config;
    this.#limiter.options = boundsOf(config);
  }

  /** Requests that may be under way now. */
  get limit(): number {
    return this.#limiter.limit;
  }

  get inflight(): number {
    return this.#limiter.inflight;
  }

  /** The priority of a request: by the first rule that matches it, else by its header, else the default one. */
  priorityOf(request: RequestInfo): PriorityClass {
    const { rules, header } = this.#config;
    for (const { paths, principals, priority } of rules) {
      const isNamed = principals.length === 0 || principals.includes(request.source.identity);
      if (isNamed && (paths.length === 0 || paths.some((path) => matches(path, request.path))))
        return classOf(priority);
    }
    const claimed = header === "" ? undefined : request.headers.get(header);
    return (claimed === undefined ? undefined : BY_NAME.get(claimed)) ?? DEFAULT;
  }

  /** Counts a request in, or returns false when it is to be refused. Each that got in calls `leave` once. */
  tryEnter({ share }: PriorityClass): boolean {
    return this.#limiter.tryEnter(share);
  }

  /** Ends a request. `latencyMs` below 0: it says nothing about the application. */
  leave(latencyMs: number, nowMs: number, wasSlow: boolean): void {
    if (latencyMs < 0) this.#limiter.cancel();
    else this.#limiter.leave(latencyMs, nowMs, wasSlow);
  }
}

function boundsOf({ maxRequests, adaptiveMin }: LoadShedding): { minLimit: number; maxLimit: number } {
  return { minLimit: adaptiveMin === 0 ? maxRequests : adaptiveMin, maxLimit: maxRequests };
}

/** "/a" is the whole path, "/a/*" everything below "/a". */
function matches(pattern: string, path: string): boolean {
  if (!pattern.endsWith("/*")) return pattern === path;
  return path.startsWith(pattern.slice(0, -1)) || path === pattern.slice(0, -2);
}
