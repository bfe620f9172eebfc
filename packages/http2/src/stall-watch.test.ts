// Request bodies that come slowly: which of them are ended.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ScriptedEndpoint } from "./testing/scripted-endpoint.suite.ts";

const LIMITS = { bodyLooks: 4, bodyMinBytes: 100, sendLooks: 8 };
const REQUEST = "HEADERS END_HEADERS stream=%s {:method: POST} {:scheme: http} {:authority: a.example} {:path: /}";

/** A server with these streams, whose bodies are owed. */
function serve(...streams: readonly number[]): ScriptedEndpoint {
  const endpoint = new ScriptedEndpoint({ role: "server" });
  endpoint.run(["PREFACE", "SETTINGS", "SETTINGS ACK", ...streams.map((id) => REQUEST.replace("%s", String(id)))]);
  endpoint.connection.resetStalled(LIMITS);
  endpoint.frames.length = 0;
  return endpoint;
}

/** Looks `count` times, with `lines` before each. The streams that were answered 408. */
function look(endpoint: ScriptedEndpoint, count: number, lines: readonly string[] = []): string[] {
  for (let at = 0; at < count; at++) {
    endpoint.run(lines);
    endpoint.connection.resetStalled(LIMITS);
    endpoint.flush();
  }
  return endpoint.frames.flatMap((frame) => (frame.includes("408") ? (/stream=\d+/.exec(frame)?.[0] ?? "") : []));
}

describe("request bodies that come slowly", () => {
  it("are ended when they bring less than the least in as many looks", () => {
    assert.deepEqual(look(serve(1), 3, ["DATA stream=1 zeros:24"]), []);
    assert.deepEqual(look(serve(1), 4, ["DATA stream=1 zeros:24"]), ["stream=1"]);
    assert.deepEqual(look(serve(1), 40, ["DATA stream=1 zeros:25"]), []);
  });

  it("may come one after the other when all together bring the least for each", () => {
    const endpoint = serve(1, 3, 5);
    assert.deepEqual(look(endpoint, 12, ["DATA stream=1 zeros:75"]), []);
    endpoint.run(["DATA END_STREAM stream=1", "> respond 1 200 end"]);
    assert.deepEqual(look(endpoint, 12, ["DATA stream=3 zeros:75"]), []);
  });

  it("are ended when one of them comes as slowly as it may and the others do not come", () => {
    assert.deepEqual(look(serve(1, 3, 5), 4, ["DATA stream=1 zeros:25"]), ["stream=3", "stream=5"]);
  });

  it("are ended whatever comes of what may pause", () => {
    const endpoint = serve(1);
    endpoint.run([
      REQUEST.replace("%s", "3")
        .replace("POST", "CONNECT")
        .replace(" {:scheme: http}", "")
        .replace(" {:path: /}", "")
        .replace("a.example", "a.example:1"),
    ]);
    assert.deepEqual(look(endpoint, 5, ["DATA stream=3 zeros:9000", "> consumed 3 9000"]), ["stream=1"]);
  });
});
