// The cache file: what was written is read again, and nothing else is.

import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";
import fc from "fast-check";

import { ConfigCache, decodeCache, encodeCache, type CachedResource, type CachedResources } from "./config-cache.ts";

const sample: CachedResources = new Map([
  ["type/a", new Map<string, CachedResource>([["one", { version: "v1", bytes: Buffer.from("bytes") }]])],
  ["type/b", new Map<string, CachedResource>([["gone", { version: "", bytes: undefined }]])],
]);

describe("the config cache", () => {
  it("gives back what it was given", () => {
    const resource = fc.oneof(
      fc
        .tuple(fc.string(), fc.uint8Array())
        .map(([version, bytes]): CachedResource => ({ version, bytes: Buffer.from(bytes) })),
      fc.constant<CachedResource>({ version: "", bytes: undefined }),
    );
    const byName = fc.uniqueArray(fc.tuple(fc.string(), resource), { selector: ([name]) => name });
    const types = fc.uniqueArray(fc.tuple(fc.string(), byName), { selector: ([typeUrl]) => typeUrl });
    fc.assert(
      fc.property(types, fc.nat(), fc.nat(), (entries, revision, tablesRevision) => {
        const resources = new Map(entries.map(([typeUrl, names]) => [typeUrl, new Map<string, CachedResource>(names)]));
        const decoded = decodeCache("web", encodeCache("web", resources, { revision, tablesRevision }));
        assert.ok(decoded.ok);
        const revisions = resources.size === 0 ? { revision: 0, tablesRevision: 0 } : { revision, tablesRevision };
        assert.deepEqual(decoded.value, { resources, ...revisions });
      }),
    );
  });

  it("is refused when any byte is changed or missing", () => {
    const file = encodeCache("web", sample);
    for (let at = 0; at < file.length; at++) {
      const changed = Buffer.from(file);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.equal(decodeCache("web", changed).ok, false, `byte ${at} changed`);
      assert.equal(decodeCache("web", file.subarray(0, at)).ok, false, `cut at ${at}`);
    }
  });

  it("is not read by another proxy", () => {
    const decoded = decodeCache("other", encodeCache("web", sample));
    assert.equal(!decoded.ok && decoded.error, "it belongs to web");
  });

  it("writes one file for many changes, private, and leaves nothing else behind", async () => {
    const directory = await mkdtemp(join(tmpdir(), "ripstop-cache-"));
    try {
      const clock = new StoppedClock();
      let collected = 0;
      const cache = new ConfigCache({ path: join(directory, "c.bin"), owner: "web", clock }, () => {
        collected++;
        return { resources: sample, revision: 7, tablesRevision: 8 };
      });
      for (let index = 0; index < 100; index++) cache.touch();
      clock.advance(250);
      await cache.flush();
      assert.equal(collected, 1);
      assert.deepEqual(await readdir(directory), ["c.bin"]);
      assert.equal((await stat(join(directory, "c.bin"))).mode & 0o777, 0o600);
      assert.deepEqual(cache.read(), { resources: sample, revision: 7, tablesRevision: 8 });
      assert.deepEqual(
        await readFile(join(directory, "c.bin")),
        encodeCache("web", sample, { revision: 7, tablesRevision: 8 }),
      );
      await cache.flush();
      assert.equal(collected, 1);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("keeps what was known when it closed", async () => {
    const directory = await mkdtemp(join(tmpdir(), "ripstop-cache-"));
    try {
      const clock = new StoppedClock();
      let known = sample;
      const cache = new ConfigCache({ path: join(directory, "c.bin"), owner: "web", clock }, () => ({
        resources: known,
        revision: 7,
        tablesRevision: 8,
      }));
      cache.touch();
      await cache.seal();
      known = new Map();
      cache.touch();
      clock.advance(10_000);
      await cache.flush();
      assert.deepEqual(cache.read(), { resources: sample, revision: 7, tablesRevision: 8 });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
