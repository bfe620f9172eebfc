// A long random history over real streams: in the end a proxy's view equals the source, and what it was sent is no
// more than what changed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { endpointsType, policyType, type ResourceType } from "@ripstop/model";

import { TestMesh, View } from "./stream-fixture.suite.ts";
import type { Subscription } from "./client/index.ts";

const EDITS = 1000;
const NAMES = 30;

/** A small generator with a seed (mulberry32), so that a failure can be run again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

describe("a proxy under a thousand random edits, subscriptions and restarts", () => {
  for (const seed of [1, 2]) {
    it(`ends with the view of the source (seed ${seed})`, async () => {
      const mesh = await TestMesh.open();
      try {
        const random = randomFrom(seed);
        let server = await mesh.server();
        const client = await mesh.client("web", server.address);
        const types: readonly ResourceType<unknown>[] = [policyType, endpointsType];
        const views = new Map<string, { readonly view: View<unknown>; readonly subscription: Subscription }>();
        const make = (type: ResourceType<unknown>, text: string): unknown =>
          type === policyType
            ? { name: "p", kind: "authorization", config: Buffer.from(text) }
            : { service: text, endpoints: [] };
        const isSynced = (): boolean =>
          [...views].every(([key, { view }]) => {
            const [typeUrl, name] = key.split(" ");
            const resource = mesh.source.get(typeUrl!, name!);
            const type = types.find((candidate) => candidate.typeUrl === typeUrl)!;
            if (view.history.length === 0) return false;
            if (!resource || view.current === undefined) return !resource && view.current === undefined;
            return Buffer.compare(type.encode(view.current), resource.bytes) === 0;
          });
        for (let edit = 0; edit < EDITS; edit++) {
          const type = types[random(types.length)]!;
          const name = `n${random(NAMES)}`;
          const key = `${type.typeUrl} ${name}`;
          mesh.source.put(type, name, random(4) === 0 ? undefined : make(type, String(random(1000))));
          if (random(3) === 0) {
            const watched = views.get(key);
            if (watched && random(2) === 0) {
              watched.subscription.cancel();
              views.delete(key);
            } else if (!watched) {
              const view = new View<unknown>(mesh.changes);
              views.set(key, { view, subscription: client.watch(type, name, view) });
            }
          }
          if (edit === 300 || edit === 600) {
            await server.close();
            server = await mesh.server({ port: server.port });
          }
          // Lets the streams run now and then, so that edits meet every state of them.
          if (random(20) === 0) await mesh.changes.until(isSynced);
          if (random(5) === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        await mesh.changes.until(isSynced);
        assert.ok(views.size > 10, `${views.size} views`);
        const sent = mesh.serverMetrics.total("ripstop_config_resources_sent_total");
        assert.ok(sent <= EDITS, `${sent} resources sent for ${EDITS} edits`);
      } finally {
        await mesh.close();
      }
    });
  }
});
