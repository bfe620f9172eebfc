import assert from "node:assert/strict";
import { test } from "node:test";
import { count, flag, readOptions, text } from "./command-options.ts";

const who = { command: "npm run soak", about: "Runs for long." };
const options = {
  requests: count(200_000, "how many exchanges"),
  live: count(10, "routes", 0),
  transport: text("T", "the transport", ["raw", "public"]),
  json: flag("figures as JSON"),
};

test("what is not given has its fallback", () => {
  assert.deepEqual(readOptions(who, options, []), {
    ok: true,
    value: { values: { requests: 200_000, live: 10, transport: undefined, json: false }, words: [] },
  });
});

test("what is given is taken, with = or without", () => {
  assert.deepEqual(readOptions(who, options, ["--requests", "5", "--live=0", "--transport", "raw", "--json"]), {
    ok: true,
    value: { values: { requests: 5, live: 0, transport: "raw", json: true }, words: [] },
  });
});

test("the help names the command, every option and its fallback", () => {
  assert.deepEqual(readOptions(who, options, ["--help"]), {
    ok: true,
    value: {
      help: [
        "Usage: npm run soak -- [OPTIONS]",
        "",
        "Runs for long.",
        "",
        "  --requests N   how many exchanges (200000)",
        "  --live N       routes (10)",
        "  --transport T  the transport (raw, public)",
        "  --json         figures as JSON",
        "  --help         this text",
        "",
      ].join("\n"),
    },
  });
});

for (const [args, reason] of [
  [["--requests", "many"], '--requests takes a whole number from 1, not "many"'],
  [["--requests", "1.5"], '--requests takes a whole number from 1, not "1.5"'],
  [["--requests", "0"], '--requests takes a whole number from 1, not "0"'],
  [["--requests", ""], '--requests takes a whole number from 1, not ""'],
  [["--transport", "slow"], '--transport takes one of raw, public, not "slow"'],
] as const) {
  test(`refused: ${args.join(" ")}`, () => {
    assert.deepEqual(readOptions(who, options, args), { ok: false, error: reason });
  });
}

test("an unknown option, or a word where none is taken, is refused with a pointer to the help", () => {
  for (const args of [["--request", "5"], ["word"]]) {
    const read = readOptions(who, options, args);
    assert.ok(!read.ok);
    assert.match(read.error, /--help names the options$/);
  }
});

test("words are taken where the command has some", () => {
  const read = readOptions({ ...who, words: "[WORD ...]" }, options, ["a", "--json", "b"]);
  assert.ok(read.ok && "words" in read.value);
  assert.deepEqual(read.value.words, ["a", "b"]);
});
