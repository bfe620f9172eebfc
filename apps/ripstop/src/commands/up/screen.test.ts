import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Screen } from "./screen.ts";

describe("Screen", () => {
  let text = "";
  const output = (isTTY: boolean, rows = 50, columns = 100): ConstructorParameters<typeof Screen>[0] => ({
    write: (more) => void (text += more),
    isTTY,
    rows,
    columns,
  });
  beforeEach(() => {
    text = "";
  });

  it("rewrites the block in place on a terminal", () => {
    const screen = new Screen(output(true));
    assert.equal(screen.block("one\ntwo\n"), true);
    assert.equal(screen.block("three\nfour\n"), true);
    assert.equal(text, "one\ntwo\n\u001b[2A\u001b[Jthree\nfour\n");
  });

  it("shows the block once where nothing can be rewritten", () => {
    for (const plain of [output(false), output(true, 2), output(true, 50, 3)]) {
      const screen = new Screen(plain);
      screen.block("one\ntwo\n");
      assert.equal(screen.block("three\nfour\n"), false);
    }
    assert.equal(text.includes("three"), false);
  });

  it("writes each step of progress once, with no control characters off a terminal", () => {
    const screen = new Screen(output(false));
    screen.progress("1 of 2");
    screen.progress("1 of 2");
    screen.progress("2 of 2");
    screen.say("up");
    assert.equal(text, "  1 of 2\n  2 of 2\nup\n");
  });

  it("keeps a message above the block", () => {
    const screen = new Screen(output(true));
    screen.block("table\n");
    screen.say("catalog ended");
    screen.block("table\n");
    assert.equal(text, "table\n\u001b[1A\u001b[Jcatalog ended\ntable\n");
  });

  it("keeps the block when it leaves", () => {
    const screen = new Screen(output(true));
    screen.block("table\n");
    screen.leave("ending …");
    assert.equal(text, "table\nending …\n");
  });
});
