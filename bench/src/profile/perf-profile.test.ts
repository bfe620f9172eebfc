// A script of perf made by hand, with known shares.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parsePerfScript, summarizePerf } from "./perf-profile.ts";

const KERNEL = "([kernel.kallsyms])";
const NODE = "(/usr/bin/node)";
const js = (name: string, file: string): string => `\t 7f3c JS:*${name} ${file}:38:16245 (/tmp/perf-1.map)`;
const parser = js("decode", "/x/packages/http1/src/head-scanner.ts");
const filter = js("apply", "/x/packages/proxy-engine/src/5-filter/request-duties.ts");
const write = [
  `\t ffff tcp_sendmsg ${KERNEL}`,
  `\t ffff ksys_write ${KERNEL}`,
  "\t f838 __GI___libc_write (/usr/lib/libc.so.6)",
  `\t 9d55 node::StreamBase::Write ${NODE}`,
  parser,
];
const stacks: readonly (readonly string[])[] = [
  write,
  write,
  [parser],
  [`\t 14d1 Builtins_StringSubstring ${NODE}`, parser],
  [filter, parser],
  [`\t 9dd4 non-virtual thunk to node::LibuvStreamWrap::DoTryWrite(uv_buf_t**, unsigned long*) ${NODE}`, parser],
  [`\t 14c0 v8::internal::ScavengerCollector::CollectGarbage ${NODE}`, filter],
  [`\t 9d55 node::StreamBase::Write ${NODE}`, parser],
];
const script = stacks.map((frames, at) => `58828.5${at}: \n${frames.join("\n")}\n`).join("\n");
const summary = summarizePerf(parsePerfScript(script), (url) => url);
const eighths = (shares: readonly { readonly name: string; readonly share: number }[]): object =>
  Object.fromEntries(shares.map(({ name, share }) => [name, share * 8]));

describe("profile of perf", () => {
  it("reads time and frames, names with spaces and brackets too", () => {
    const samples = parsePerfScript(script);
    assert.equal(samples.length, stacks.length);
    assert.equal(samples[1]?.atSeconds, 58828.51);
    assert.deepEqual(samples[5]?.frames[0], {
      symbol: "non-virtual thunk to node::LibuvStreamWrap::DoTryWrite(uv_buf_t**, unsigned long*)",
      object: "/usr/bin/node",
    });
  });

  it("tells kernel, Node and V8, codec and duties apart", () => {
    assert.deepEqual(eighths(summary.areas), { kernel: 2, "Node and V8": 3, codec: 2, duties: 1 });
  });

  it("names the system call, and gives a builtin to its caller", () => {
    assert.deepEqual(eighths(summary.groups), {
      "kernel: writing": 2,
      http1: 2,
      "Node's streams and libuv": 2,
      "garbage collection": 1,
      "proxy-engine 5-filter": 1,
    });
    assert.equal(summary.functions.find(({ name }) => name.startsWith("decode"))?.name, "decode (head-scanner.ts)");
  });

  it("takes text that is no script for no samples", () => {
    assert.deepEqual(parsePerfScript("no samples\n\nat all"), []);
  });
});
