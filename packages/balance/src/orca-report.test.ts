// Load reports in all their forms, and what is none.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";

import { ORCA_BINARY_FIELD, ORCA_FIELD, parseLoadReport } from "./orca-report.ts";

/** cpu_utilization 0.5, mem_utilization 0.25, request_cost {"a": 1}, rps_fractional 120, application_utilization 0.75. */
function binary(): string {
  const double = (field: number, value: number): Buffer => {
    const bytes = Buffer.alloc(9);
    bytes[0] = field * 8 + 1;
    bytes.writeDoubleLE(value, 1);
    return bytes;
  };
  const cost = Buffer.concat([Buffer.from([0x0a, 1, 0x61]), double(2, 1)]);
  return Buffer.concat([
    double(1, 0.5),
    double(2, 0.25),
    Buffer.from([3 * 8, 0xac, 0x02]),
    Buffer.from([4 * 8 + 2, cost.length]),
    cost,
    double(6, 120),
    double(9, 0.75),
  ]).toString("base64");
}

describe("a load report", () => {
  it("is read as text, JSON and protobuf", () => {
    const full = { utilization: 0.75, rps: 120 };
    assert.deepEqual(
      parseLoadReport(ORCA_FIELD, "TEXT cpu_utilization=0.5, application_utilization=0.75,rps_fractional=120, eps=1"),
      full,
    );
    for (const json of [
      '{"cpu_utilization": 0.5, "application_utilization": 0.75, "rps_fractional": 120}',
      '{"cpuUtilization": 0.5, "applicationUtilization": 0.75, "rpsFractional": 120, "namedMetrics": {"x": 1}}',
    ])
      assert.deepEqual(parseLoadReport(ORCA_FIELD, `JSON ${json}`), full);
    assert.deepEqual(parseLoadReport(ORCA_BINARY_FIELD, binary()), full);
    assert.deepEqual(parseLoadReport(ORCA_FIELD, `BIN ${binary()}`), full);
  });

  it("falls back to the processor's utilization", () => {
    assert.deepEqual(parseLoadReport(ORCA_FIELD, "TEXT cpu_utilization=0.5"), { utilization: 0.5, rps: 0 });
  });

  it("that says nothing of use is none", () => {
    for (const value of [
      "",
      "TEXT",
      "TEXT mem_utilization=0.5",
      "JSON null",
      "JSON {",
      "XML <a/>",
      "TEXT cpu_utilization=-1",
    ])
      assert.equal(parseLoadReport(ORCA_FIELD, value), undefined, value);
  });

  it("of any bytes is read or refused, without an exception, and never with a number that is none", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string().map((text) => [ORCA_FIELD, text] as const),
          fc.string().map((text) => [ORCA_FIELD, `TEXT cpu_utilization=${text}`] as const),
          fc.jsonValue().map((json) => [ORCA_FIELD, `JSON ${JSON.stringify(json)}`] as const),
          fc.uint8Array().map((bytes) => [ORCA_BINARY_FIELD, Buffer.from(bytes).toString("base64")] as const),
        ),
        ([name, value]) => {
          const report = parseLoadReport(name, value);
          assert.ok(report === undefined || (report.utilization >= 0 && report.rps >= 0));
        },
      ),
    );
  });
});
