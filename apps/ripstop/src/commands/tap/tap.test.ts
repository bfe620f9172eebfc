import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatEvent } from "./tap.ts";

describe("formatEvent", () => {
  const event = {
    timeUnixMs: 0,
    sourceService: "shop/web",
    destinationService: "shop/catalog",
    protocol: "http",
    method: "GET",
    path: "/books",
    status: 200,
    latencyUs: 1_540,
    tlsVersion: "TLSv1.3",
  };

  it("tells who asked whom for what, and how it went", () => {
    assert.match(formatEvent(event), /shop\/web → shop\/catalog +GET +\/books +200 +1\.5 ms +TLSv1\.3\n$/);
  });

  it("names the cause when the proxy itself answered", () => {
    const line = formatEvent({ ...event, status: 403, errorCode: "RS1102", errorCause: "no rule matches" });
    assert.match(line, /403 .*RS1102 no rule matches\n$/);
  });

  it("falls back to the identity of a caller without service, and shows plain connections as such", () => {
    const line = formatEvent({
      ...event,
      sourceService: "",
      sourceIdentity: "spiffe://mesh.local/ns/a/sa/b",
      tlsVersion: "",
    });
    assert.match(line, /a\/b → shop\/catalog .* no\n$/);
  });

  it("lets no path of a peer forge a line", () => {
    const line = formatEvent({ ...event, path: "/x\n12:00 fake" });
    assert.equal(line.indexOf("\n"), line.length - 1);
  });

  it("takes an event of a neighbouring version with fields missing", () => {
    assert.match(formatEvent({}), /- → -/);
  });
});
