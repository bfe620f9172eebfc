// Interim: until packages/telemetry and packages/identity export these.

import type { X509Certificate } from "node:crypto";
import { parseSpiffeId } from "@ripstop/identity";
import type { VerifyPeer } from "@ripstop/net";
import type { Counter, Gauge, Histogram, LogFields, Logger, LogLevel, MetricRegistry } from "@ripstop/telemetry";

export const verifyPeer: VerifyPeer = (leaf: X509Certificate) => {
  const names = leaf.subjectAltName ?? "";
  const id = parseSpiffeId(names.replace(/^URI:/, ""));
  if (leaf.ca || !id.ok) return { ok: false, reason: "not_an_svid", message: id.ok ? "a CA certificate" : id.error };
  return { ok: true, id: id.value.uri, trustDomain: id.value.trustDomain };
};

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

export function createLogger(options: { readonly level: LogLevel }, base: LogFields = {}): Logger {
  const write = (level: LogLevel, message: string, fields: LogFields = {}): void => {
    if (LEVELS.indexOf(level) >= LEVELS.indexOf(logger.level)) process.stderr.write(`${JSON.stringify({ level, message, ...base, ...fields })}\n`);
  };
  const logger: Logger = {
    level: options.level,
    debug: (message, fields) => write("debug", message, fields),
    info: (message, fields) => write("info", message, fields),
    warn: (message, fields) => write("warn", message, fields),
    error: (message, fields) => write("error", message, fields),
    child: (fields) => createLogger({ level: logger.level }, { ...base, ...fields }),
  };
  return logger;
}

class Series implements Counter, Gauge, Histogram {
  value = 0;
  count = 0;
  sum = 0;
  add(amount: number): void {
    this.value += amount;
  }
  set(value: number): void {
    this.value = value;
  }
  record(value: number): void {
    this.count++;
    this.sum += value;
  }
  quantile(): number {
    return 0;
  }
}

export function createMetricRegistry(): MetricRegistry {
  const all = new Map<string, Series>();
  const get = (name: string, _help: string, labels: Readonly<Record<string, string>> = {}): Series => {
    const key = `${name}{${Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(",")}}`;
    let series = all.get(key);
    if (series === undefined) all.set(key, (series = new Series()));
    return series;
  };
  return {
    counter: get,
    gauge: get,
    histogram: get,
    render: () => [...all].map(([key, series]) => `# TYPE ${key.slice(0, key.indexOf("{"))} untyped\n${key} ${series.value}\n`).join(""),
  };
}
