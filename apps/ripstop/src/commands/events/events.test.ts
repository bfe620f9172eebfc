// The table of events.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { MeshEvent } from "@ripstop/model";

import { eventsTable } from "./events.ts";

const event: MeshEvent = {
  number: 1,
  timeMs: 0,
  severity: "warning",
  type: "RootExpiring",
  subject: "root",
  message: "It ends soon.",
};

describe("the table of events", () => {
  it("says when, how grave, what and about what", () => {
    assert.equal(
      eventsTable([event]),
      "TIME                      SEVERITY  WHAT          ABOUT  MESSAGE\n1970-01-01T00:00:00.000Z  warning   RootExpiring  root   It ends soon.\n",
    );
    assert.equal(eventsTable([]), "no events\n");
  });

  it("names the control plane when there are several", () => {
    assert.match(eventsTable([{ ...event, replica: "04e8c6e0-1cb8-4659" }]), /CONTROL PLANE .*\n.* 04e8c6e0 /);
  });
});
