import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { StoppedClock } from "@ripstop/testkit";

import { EventLog, MAX_EVENTS } from "./event-log.ts";

describe("the event log", () => {
  const event = { severity: "warning", type: "RootExpiring", subject: "mesh.local", message: "in 3 days" } as const;

  it("numbers events and gives those after a number", () => {
    const log = new EventLog(new StoppedClock());
    for (let i = 0; i < 3; i++) log.add(event);
    assert.deepEqual(
      log.list(1).map(({ number }) => number),
      [2, 3],
    );
    assert.equal(log.list()[0]?.message, "in 3 days");
  });

  it("keeps the newest", () => {
    const log = new EventLog(new StoppedClock());
    for (let i = 0; i < MAX_EVENTS + 5; i++) log.add(event);
    assert.equal(log.list().length, MAX_EVENTS);
    assert.equal(log.list()[0]?.number, 6);
  });
});
