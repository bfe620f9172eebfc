// Both engines through the one suite; the durable one through kill -9 as well.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { open } from "lmdb";

import { systemClock } from "@ripstop/core";
import { StoppedClock } from "@ripstop/testkit";

import { storeDamaged, storeNewer } from "../errors.ts";
import { openLmdbStore } from "./lmdb-store.ts";
import { MemoryStore } from "./memory-store.ts";
import { storeSuite } from "./store.suite.ts";

storeSuite("memory", false, async () => ({
  open: (keepRevisions) =>
    new MemoryStore({ clock: new StoppedClock(), ...(keepRevisions === undefined ? {} : { keepRevisions }) }),
  dispose: async () => {},
}));

storeSuite("LMDB", true, async () => {
  const directory = await mkdtemp(join(tmpdir(), "ripstop-store-"));
  return {
    open: (keepRevisions) =>
      openLmdbStore({
        directory,
        clock: new StoppedClock(),
        ...(keepRevisions === undefined ? {} : { keepRevisions }),
      }),
    dispose: () => rm(directory, { recursive: true }),
  };
});

describe("LMDB store", () => {
  it("is readable by its owner alone", async () => {
    const parent = await mkdtemp(join(tmpdir(), "ripstop-store-"));
    const directory = join(parent, "store");
    const store = openLmdbStore({ directory, clock: systemClock });
    assert.equal((await stat(directory)).mode & 0o777, 0o700);
    assert.equal((await stat(join(directory, "data.mdb"))).mode & 0o777, 0o600);
    await store.close();
    await rm(parent, { recursive: true });
  });

  for (const [name, content] of [
    ["is no database", Buffer.alloc(20_000, 0x5a)],
    ["was cut off", Buffer.alloc(100)],
  ] as const) {
    it(`refuses a file that ${name}, instead of falling over it`, async () => {
      const directory = await mkdtemp(join(tmpdir(), "ripstop-store-"));
      await writeFile(join(directory, "data.mdb"), content);
      assert.throws(() => openLmdbStore({ directory, clock: systemClock }), { kind: storeDamaged });
      await rm(directory, { recursive: true });
    });
  }

  it("refuses a file that lost its second page", async () => {
    const directory = await mkdtemp(join(tmpdir(), "ripstop-store-"));
    await openLmdbStore({ directory, clock: systemClock }).close();
    await truncate(join(directory, "data.mdb"), 4_000);
    assert.throws(() => openLmdbStore({ directory, clock: systemClock }), { kind: storeDamaged });
    await rm(directory, { recursive: true });
  });

  it("refuses a store of a newer format", async () => {
    const directory = await mkdtemp(join(tmpdir(), "ripstop-store-"));
    await openLmdbStore({ directory, clock: systemClock }).close();
    const root = open({ path: directory, overlappingSync: false });
    await root.openDB({ name: "meta", encoding: "json" }).put("format", 99);
    await root.close();
    assert.throws(() => openLmdbStore({ directory, clock: systemClock }), { kind: storeNewer });
    await rm(directory, { recursive: true });
  });

  // RIPSTOP_CRASHES=100 for the record.
  const crashes = Number(process.env["RIPSTOP_CRASHES"] ?? 20);
  it(
    `has every acknowledged revision after kill -9 during writes, ${crashes} times`,
    { timeout: crashes * 60_000 },
    async () => {
      const directory = await mkdtemp(join(tmpdir(), "ripstop-store-"));
      const writer = fileURLToPath(new URL("./crash-writer.fixture.js", import.meta.url));
      let acknowledged = 0;
      for (let round = 1; round <= crashes; round++) {
        const child = spawn(process.execPath, [writer, directory], { stdio: ["ignore", "pipe", "inherit"] });
        let output = "";
        const enough = 2 + (round % 5);
        for await (const chunk of child.stdout.setEncoding("utf8")) {
          output += String(chunk);
          if (output.split("\n").length > enough) child.kill("SIGKILL");
        }
        if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
        assert.equal(child.signalCode, "SIGKILL");
        const numbers = output.split("\n").slice(0, -1).map(Number);
        acknowledged = numbers.at(-1) ?? acknowledged;

        const store = openLmdbStore({ directory, clock: systemClock });
        assert.ok(store.revision >= acknowledged, `revision ${store.revision} of ${acknowledged}`);
        const logged: number[] = [];
        assert.ok(store.watch(0, ({ number }) => logged.push(number)).ok);
        assert.deepEqual(
          logged,
          Array.from({ length: store.revision }, (_, index) => index + 1),
        );
        // Each revision wrote two resources; a torn one would show as a difference.
        const pair = ["left", "right"].map((name) => store.get(`Pet/home/${name}`)?.spec);
        assert.deepEqual(pair, [{ legs: store.revision }, { legs: store.revision }]);
        await store.close();
      }
      assert.ok(acknowledged >= crashes * 2);
      await rm(directory, { recursive: true });
    },
  );
});
