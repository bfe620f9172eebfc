// Windows while too much waits for slow readers in this process: small ones for all streams, and what they were after it.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { queuedBodies } from "@ripstop/http";
import { ScriptedEndpoint } from "./testing/scripted-endpoint.suite.ts";

const REQUEST = "HEADERS END_HEADERS stream=%s {:method: POST} {:scheme: http} {:authority: a.example} {:path: /}";
const KIB = 1024;

function serve(): ScriptedEndpoint {
  const endpoint = new ScriptedEndpoint({ role: "server" });
  endpoint.run(["PREFACE", "SETTINGS", "SETTINGS ACK", REQUEST.replace("%s", "1")]);
  endpoint.frames.length = 0;
  endpoint.events.length = 0;
  return endpoint;
}

function data(stream: number, bytes: number): string[] {
  return Array.from({ length: bytes / (16 * KIB) }, () => `DATA stream=${stream} zeros:${16 * KIB}`);
}

/** Makes the budget tight, or not. */
function squeeze(isTight: boolean): void {
  queuedBodies.limitBytes = isTight ? -1 : Infinity;
  assert.equal(queuedBodies.isTight, isTight);
}

describe("the windows of streams while too much waits for slow readers", () => {
  afterEach(() => squeeze(false));

  it("become small with the next DATA, told once, and binding when that is acknowledged", () => {
    const endpoint = serve();
    squeeze(true);
    // The peer did not know when it sent the whole window.
    endpoint.run(data(1, 256 * KIB));
    assert.deepEqual(endpoint.frames, ["SETTINGS INITIAL_WINDOW_SIZE=16384"]);
    endpoint.run(["SETTINGS ACK", REQUEST.replace("%s", "3"), ...data(3, 16 * KIB)]);
    assert.deepEqual(
      endpoint.events.filter((event) => event.includes("error")),
      [],
    );
    endpoint.run(['DATA stream=3 "x"']);
    assert.match(endpoint.frames.at(-1) ?? "", /RST_STREAM stream=3 3/);
  });

  it("open by no more than a small one as what came is passed on, and no stream stands still", () => {
    const endpoint = serve();
    squeeze(true);
    endpoint.run([...data(1, 256 * KIB), "SETTINGS ACK"]);
    endpoint.frames.length = 0;
    endpoint.run([`> consumed 1 ${248 * KIB}`]);
    // 8 KiB are not passed on yet, the other 8 may come.
    assert.deepEqual(endpoint.frames, [`WINDOW_UPDATE stream=1 ${248 * KIB}`]);
    endpoint.run([`> consumed 1 ${8 * KIB}`]);
    endpoint.run(data(1, 16 * KIB));
    assert.deepEqual(
      endpoint.events.filter((event) => event.includes("error")),
      [],
    );
  });

  it("let a body end by an empty frame when less than nothing is left of them", () => {
    const endpoint = serve();
    squeeze(true);
    endpoint.run([...data(1, 64 * KIB), "SETTINGS ACK"]);
    endpoint.events.length = 0;
    endpoint.run(["DATA END_STREAM stream=1"]);
    assert.deepEqual(endpoint.events, ["end 1"]);
  });

  it("are what they were when it is over", () => {
    const endpoint = serve();
    squeeze(true);
    endpoint.run([...data(1, 16 * KIB), "SETTINGS ACK"]);
    squeeze(false);
    endpoint.run([`> consumed 1 ${16 * KIB}`]);
    endpoint.frames.length = 0;
    endpoint.run(data(1, 16 * KIB));
    assert.deepEqual(endpoint.frames, ["SETTINGS INITIAL_WINDOW_SIZE=262144"]);
    endpoint.run(["SETTINGS ACK", ...data(1, 240 * KIB)]);
    assert.deepEqual(
      endpoint.events.filter((event) => event.includes("error")),
      [],
    );
  });

  it("are told with the next request by a client, before it", () => {
    const endpoint = new ScriptedEndpoint({ role: "client" });
    endpoint.run(["SETTINGS", "SETTINGS ACK"]);
    endpoint.frames.length = 0;
    squeeze(true);
    endpoint.run(["> open GET / end"]);
    assert.deepEqual(
      endpoint.frames.map((frame) => frame.split(" ")[0]),
      ["SETTINGS", "HEADERS"],
    );
  });
});
