import { StoppedClock } from "@ripstop/testkit";
import assert from "node:assert/strict";
import fc from "fast-check";
import { describe, it } from "node:test";
import { createLogger, logFormatFor } from "./create-logger.ts";
import type { LogLevel } from "./log.ts";

function recorder(format: "json" | "text", level: LogLevel = "debug") {
  const lines: string[] = [];
  return {
    lines,
    logger: createLogger({ clock: new StoppedClock(0), format, level, write: (line) => lines.push(line) }),
  };
}

describe("the logger", () => {
  it("writes one JSON object a line", () => {
    const { logger, lines } = recorder("json");
    logger.child({ workload: "shop/web-1" }).warn("peer refused", { reason: "expired", count: 3, dropped: undefined });
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)),
      [
        {
          time: "1970-01-01T00:00:00.000Z",
          level: "warn",
          message: "peer refused",
          workload: "shop/web-1",
          reason: "expired",
          count: 3,
        },
      ],
    );
  });

  it("asks how to write when there is a first line to write", () => {
    let asked = 0;
    const lines: string[] = [];
    const format = (): "text" => {
      asked++;
      return "text";
    };
    const logger = createLogger({ clock: new StoppedClock(0), format, write: (line) => lines.push(line) });
    logger.debug("not written");
    assert.equal(asked, 0);
    logger.info("one");
    logger.child({}).info("two");
    assert.equal(asked, 1);
    assert.deepEqual(lines, ["00:00:00.000 info  one\n", "00:00:00.000 info  two\n"]);
  });

  it("writes short text for people", () => {
    const { logger, lines } = recorder("text");
    logger.info("listening", { address: "127.0.0.1:80", why: "two words" });
    assert.deepEqual(lines, ['00:00:00.000 info  listening address=127.0.0.1:80 why="two words"\n']);
  });

  it("leaves out what is below its level, children included, also after a change", () => {
    const { logger, lines } = recorder("text", "warn");
    const child = logger.child({ a: 1 });
    child.info("no");
    logger.level = "debug";
    child.debug("yes");
    assert.equal(lines.length, 1);
  });

  it("never lets a value break or forge a line", () => {
    for (const format of ["json", "text"] as const) {
      fc.assert(
        fc.property(
          fc.string({ unit: "binary" }),
          fc.string({ unit: "binary" }),
          fc.string({ unit: "binary" }),
          (message, name, value) => {
            const { logger, lines } = recorder(format);
            logger.info(`${message}\n\u001b[2J\u2028`, { [name]: `${value}\r\n\u0085forged`, plain: value });
            const line = lines[0] ?? "";
            assert.equal(lines.length, 1);
            // eslint-disable-next-line no-control-regex -- that is what must not occur
            assert.doesNotMatch(line.slice(0, -1), /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/);
            assert.ok(line.endsWith("\n"));
            if (format === "json") JSON.parse(line);
          },
        ),
      );
    }
  });

  it("does not let a field replace time, level or message", () => {
    const { logger, lines } = recorder("json");
    logger.info("real", { message: "fake", level: "error", __proto__x: 1 });
    const line = JSON.parse(lines[0] ?? "") as Record<string, unknown>;
    assert.deepEqual([line["message"], line["level"], line["field_message"]], ["real", "info", "fake"]);
  });

  it("writes no secret", () => {
    const { logger, lines } = recorder("json");
    logger.info("joining with Bearer abcdefghijklmnop", {
      joinToken: "s3cr3t-1",
      Authorization: "s3cr3t-2",
      header: "bearer s3cr3t-3xxxxx",
    });
    logger.info("-----BEGIN PRIVATE KEY-----\ns3cr3t", { pem: "-----BEGIN EC PRIVATE KEY-----s3cr3t" });
    assert.doesNotMatch(lines.join(""), /s3cr3t|abcdefghijklmnop/);
  });

  it("bounds what one value can write", () => {
    const { logger, lines } = recorder("text");
    logger.info("x", { long: "y".repeat(1_000_000) });
    assert.ok((lines[0]?.length ?? 0) < 5_000);
  });

  it("never throws, not even when its output does", () => {
    const logger = createLogger({
      clock: new StoppedClock(),
      write() {
        throw new Error("EPIPE");
      },
    });
    logger.error("still alive");
  });

  it("is text on a terminal and JSON elsewhere", () => {
    assert.deepEqual([logFormatFor({ isTTY: true }), logFormatFor({})], ["text", "json"]);
  });
});
