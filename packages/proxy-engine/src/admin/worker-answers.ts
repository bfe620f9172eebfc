// What one process of a proxy answers about itself, and how the answers of all become one.

import type { WorkerQuestion } from "@ripstop/model";
import type { Logger, LogLevel, MetricRegistry } from "@ripstop/telemetry";
import type { Proxy } from "../proxy.ts";
import { describeConfig, describeConnections } from "./describe.ts";

/** The parts of a process that questions are about. */
export interface Answering {
  readonly proxy: Proxy;
  readonly metrics: MetricRegistry;
}

/** The answer of another process. */
export interface WorkerAnswer {
  readonly slot: number;
  readonly pid: number;
  readonly answer: unknown;
}

/** Asks all other processes of the proxy; nothing when there are none. */
export type AskOthers = (question: WorkerQuestion) => Promise<readonly WorkerAnswer[]>;

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** The level that a text names, or undefined. */
export function parseLogLevel(text: string): LogLevel | undefined {
  return LEVELS.find((level) => level === text);
}

/** This process's answer. */
export async function answerQuestion({ proxy, metrics }: Answering, question: WorkerQuestion): Promise<unknown> {
  const log: Logger = proxy.engine.log;
  switch (question.what) {
    case "metrics":
      return metrics.render();
    case "config":
      return describeConfig(proxy);
    case "connections":
      return describeConnections(proxy);
    case "log-level":
      return log.level;
    case "set-log-level":
      log.level = parseLogLevel(question.level) ?? log.level;
      return log.level;
    case "drain":
      await proxy.drain(question.deadlineMs);
      return "drained";
    default:
      question satisfies never;
      return undefined;
  }
}
