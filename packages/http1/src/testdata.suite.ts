// For tests: reads the cases of testdata/*.md. See testdata/README.md for the format.

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readdirSync, readFileSync } from "node:fs";
import type { TraceInput } from "./decode-trace.suite.ts";

/** One case: bytes in, events out. */
export interface Case {
  readonly file: string;
  readonly title: string;
  readonly section: string;
  readonly input: TraceInput;
  readonly bytes: Buffer;
  readonly events: readonly string[];
}

const folder: URL = new URL("../testdata/", import.meta.url);
const LIMIT = /^(max[A-Za-z]+)=([0-9]+)$/;

/** The bytes of an input block: line ends of the file do not count, escapes do; "{N x TEXT}" repeats. */
function parseBytes(block: string): Buffer {
  const joined = block
    .replaceAll("\n", "")
    .replaceAll(/\{([0-9]+) x ([^}]*)\}/g, (_, count, text) => text.repeat(Number(count)));
  const text = joined.replaceAll(/\\(r|n|t|s|\\|x[0-9a-fA-F]{2})/g, (_, escape: string) => {
    const simple: Record<string, string> = { r: "\r", n: "\n", t: "\t", s: " ", "\\": "\\" };
    return simple[escape] ?? String.fromCharCode(Number.parseInt(escape.slice(1), 16));
  });
  return Buffer.from(text, "latin1");
}

function parseInput(words: readonly string[]): TraceInput {
  const limits: Record<string, number> = {};
  let method = "GET";
  let protocol = "";
  let isClosed = false;
  for (const word of words.slice(1)) {
    const limit = LIMIT.exec(word);
    if (limit !== null) limits[limit[1] ?? ""] = Number(limit[2]);
    else if (word === "eof") isClosed = true;
    else if (word.startsWith("protocol=")) protocol = word.slice(9);
    else method = word;
  }
  return { role: words[0] === "response" ? "response" : "request", method, protocol, isClosed, limits };
}

function parseFile(file: string, text: string): Case[] {
  const cases: Case[] = [];
  for (const part of text.split(/^## /m).slice(1)) {
    const title = part.slice(0, part.indexOf("\n")).trim();
    const section = /^RFC [0-9]+ §[0-9.]+.*$/m.exec(part)?.[0] ?? "";
    const blocks = [...part.matchAll(/^~~~(.*)\n([\s\S]*?)^~~~$/gm)];
    assert.ok(section !== "", `"${title}" names no RFC section`);
    assert.equal(blocks.length, 2, `"${title}" must have an input block and an events block`);
    const [input, events] = blocks;
    assert.equal(events?.[1], "events", `the second block of "${title}" must be events`);
    cases.push({
      file,
      title,
      section,
      input: parseInput((input?.[1] ?? "").trim().split(" ")),
      bytes: parseBytes(input?.[2] ?? ""),
      events: (events?.[2] ?? "").split("\n").filter((line) => line !== ""),
    });
  }
  return cases;
}

/** Every case of every file. */
export function readCases(): Case[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(".md") && name !== "README.md");
  return files.flatMap((file) => parseFile(file, readFileSync(new URL(file, folder), "utf8")));
}
