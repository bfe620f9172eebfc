// The header modifier filter.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HeaderList } from "@ripstop/http";
import { compileHeaderModifier } from "./header-edits.ts";

function list(...fields: readonly (readonly [string, string])[]): HeaderList {
  const headers = new HeaderList();
  for (const [name, value] of fields) headers.append(name, value);
  return headers;
}

function entries(headers: HeaderList): string[] {
  return Array.from({ length: headers.length }, (_, at) => `${headers.nameAt(at)}: ${headers.valueAt(at)}`);
}

describe("a header modifier", () => {
  it("sets, appends and removes, names in any case", () => {
    const headers = list(["a", "1"], ["a", "2"], ["b", "1"], ["gone", "x"]);
    compileHeaderModifier({
      set: [{ name: "A", value: "9" }],
      add: [
        { name: "B", value: "2" },
        { name: "c", value: "3" },
      ],
      remove: ["Gone"],
    }).apply(headers);
    assert.deepEqual(entries(headers), ["a: 9", "b: 1,2", "c: 3"]);
  });

  it("adds cookies as fields of their own, because they cannot be joined", () => {
    const headers = list(["set-cookie", "a=1"]);
    compileHeaderModifier({ set: [], add: [{ name: "set-cookie", value: "b=2" }], remove: [] }).apply(headers);
    assert.deepEqual(headers.getAll("set-cookie"), ["a=1", "b=2"]);
  });

  it("never touches what frames the message, and never writes what would split it", () => {
    const headers = list(["x", "1"]);
    compileHeaderModifier({
      set: [
        { name: "content-length", value: "0" },
        { name: "Transfer-Encoding", value: "chunked" },
        { name: ":path", value: "/" },
        { name: "evil", value: "a\r\nb: c" },
      ],
      add: [{ name: "host", value: "other" }],
      remove: [],
    }).apply(headers);
    assert.deepEqual(entries(headers), ["x: 1"]);
  });
});
