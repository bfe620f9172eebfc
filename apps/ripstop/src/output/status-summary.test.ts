// Statuses in a few words.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { statusSummary } from "./status-summary.ts";

const condition = (type: string, status: string, reason: string): object => ({ type, status, reason, message: "" });

describe("statusSummary", () => {
  it("says that all is well, or what is not, wherever it stands", () => {
    const good = [condition("Accepted", "True", "Accepted"), condition("Conflicted", "False", "NoConflicts")];
    assert.equal(statusSummary({ status: { conditions: good, listeners: [{ conditions: good }] } }), "ok");
    const bad = [condition("Conflicted", "True", "HostnameConflict")];
    assert.equal(
      statusSummary({ status: { conditions: good, listeners: [{ conditions: bad }, { conditions: bad }] } }),
      "Conflicted=True HostnameConflict",
    );
    const worse = [
      condition("Accepted", "False", "NoMatchingParent"),
      condition("ResolvedRefs", "False", "InvalidKind"),
    ];
    assert.equal(
      statusSummary({ status: { parents: [{ conditions: worse }] } }),
      "Accepted=False NoMatchingParent, +1 more",
    );
  });

  it("says nothing of a resource without conditions", () => {
    assert.equal(statusSummary({}), "");
    assert.equal(statusSummary({ status: { parents: [] } }), "");
  });
});
