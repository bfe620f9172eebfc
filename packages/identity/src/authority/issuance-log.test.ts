import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";

import { IssuanceLog, type IssuanceRecord } from "./issuance-log.ts";

describe("the log of everything issued", () => {
  it("loses nothing when it is set aside by size, and deletes nothing", async () => {
    const directory = await mkdtemp(join(tmpdir(), "ripstop-log-"));
    try {
      const log = await IssuanceLog.open(join(directory, "issued.jsonl"), 1_000);
      const record = (index: number): IssuanceRecord => ({
        ...{ timeMs: index * 1000, kind: "svid", spiffeId: "spiffe://test.mesh/x", serialNumber: String(index) },
        ...{ notBeforeMs: 0, notAfterMs: 0, keySha256: "" },
      });
      for (let batch = 0; batch < 20; batch++) {
        await Promise.all([0, 1, 2, 3, 4].map((index) => log.append(record(batch * 5 + index))));
      }
      await log.close();
      const files = await readdir(directory);
      assert.ok(files.length > 5, files.join(" "));
      const serials: number[] = [];
      for (const file of files) {
        assert.equal((await stat(join(directory, file))).mode & 0o777, 0o600);
        for (const line of (await readFile(join(directory, file), "utf8")).split("\n")) {
          if (line !== "") serials.push(Number((JSON.parse(line) as IssuanceRecord).serialNumber));
        }
      }
      assert.deepEqual(
        serials.toSorted((a, b) => a - b),
        Array.from({ length: 100 }, (_, index) => index),
      );
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
