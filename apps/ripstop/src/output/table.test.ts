import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatTable, printable } from "./table.ts";

describe("formatTable", () => {
  const columns = [
    { title: "name", cell: (row: { name: string }) => row.name },
    { title: "n", cell: (row: { name: string; n?: number }) => String(row.n ?? 0), right: true },
  ];

  it("makes columns as wide as their widest cell and numbers right-aligned", () => {
    const text = formatTable(columns, [{ name: "a", n: 100 }, { name: "longer" }]);
    assert.equal(text, "NAME      N\na       100\nlonger    0\n");
  });

  it("shows only titles without rows", () => {
    assert.equal(formatTable(columns, []), "NAME  N\n");
  });

  it("lets no name move the cursor of a terminal", () => {
    assert.equal(formatTable(columns, [{ name: "\u001b[2J\n" }]).includes("\u001b"), false);
    assert.equal(printable("a\u001b[31mb\nc\u009b"), "a\\x1b[31mb\\x0ac\\x9b");
    assert.equal(printable("grüß → ✓"), "grüß → ✓");
  });
});
