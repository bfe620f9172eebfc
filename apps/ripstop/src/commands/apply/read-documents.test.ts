import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { readDocuments } from "./read-documents.ts";

describe("readDocuments", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ripstop-test-"));
    mkdirSync(join(folder, "inner"));
    for (const name of ["b.yaml", "a.yml", "inner/c.json", "notes.txt"])
      writeFileSync(join(folder, name), `text of ${name}`);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it("finds the resource files of a folder to the bottom, in a stable order", async () => {
    const read = await readDocuments([folder]);
    assert.ok(read.ok);
    assert.deepEqual(
      read.value.map(({ file, text }) => [file, text]),
      ["a.yml", "b.yaml", "inner/c.json"].map((name) => [join(folder, name), `text of ${name}`]),
    );
  });

  it("keeps the order of the command line, and takes any file that is named", async () => {
    const read = await readDocuments([join(folder, "notes.txt"), join(folder, "a.yml")]);
    assert.ok(read.ok);
    assert.deepEqual(
      read.value.map(({ text }) => text),
      ["text of notes.txt", "text of a.yml"],
    );
  });

  it("says which path is missing or empty", async () => {
    const missing = await readDocuments([join(folder, "a.yml"), join(folder, "no.yaml")]);
    assert.ok(!missing.ok);
    assert.match(missing.error, /no\.yaml does not exist/);
    rmSync(join(folder, "inner", "c.json"));
    const empty = await readDocuments([join(folder, "inner")]);
    assert.ok(!empty.ok);
    assert.match(empty.error, /has no \.yaml/);
  });
});
