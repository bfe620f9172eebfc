// Runs the rules in testdata/*.md: frames and actions in, events and frames out. Every case runs with its bytes whole,
// one by one, and in pieces of 7: the result must not depend on it. With RECORD_CASES=1 the expectations are rewritten.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, it } from "node:test";
import { ScriptedEndpoint, type EndpointOptions } from "./testing/scripted-endpoint.suite.ts";

const FOLDER = fileURLToPath(new URL("../testdata/", import.meta.url));

interface Case {
  readonly title: string;
  readonly rule: string;
  readonly script: readonly string[];
  readonly events: string;
  readonly frames: string;
}

function parseCases(markdown: string): Case[] {
  return markdown
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [title = "", ...rest] = section.split("\n");
      const blocks = new Map(
        [...rest.join("\n").matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map((m) => [m[1] ?? "", m[2] ?? ""]),
      );
      const rule = rest.find((line) => line.startsWith("RFC ")) ?? "";
      return {
        title,
        rule,
        script: (blocks.get("in") ?? "").split("\n").filter((line) => line !== ""),
        events: blocks.get("events") ?? "",
        frames: blocks.get("frames") ?? "",
      };
    });
}

function options(script: readonly string[]): EndpointOptions & { bare: boolean; all: boolean } {
  const words = script
    .filter((line) => line.startsWith("@ "))
    .join(" ")
    .split(" ");
  const numbers = (prefix: string): Record<string, unknown> =>
    Object.fromEntries(
      words
        .filter((word) => word.startsWith(prefix))
        .map((word) => word.slice(prefix.length).split("="))
        .map(([key = "", value = ""]) => [
          key,
          value === "false" ? false : value.includes("/") ? budget(value) : Number(value),
        ]),
    );
  return {
    role: words.includes("client") ? "client" : "server",
    bare: words.includes("bare"),
    all: words.includes("all-frames"),
    limits: numbers("limit:"),
    settings: numbers("setting:"),
  };
}

function budget(text: string): { burst: number; perSecond: number } {
  const [burst = "", perSecond = ""] = text.split("/");
  return { burst: Number(burst), perSecond: Number(perSecond) };
}

function run(script: readonly string[], pieceBytes: number): { events: string; frames: string } {
  const { bare, all, ...setup } = options(script);
  const endpoint = new ScriptedEndpoint(setup);
  if (!bare)
    endpoint.run(setup.role === "server" ? ["PREFACE", "SETTINGS", "SETTINGS ACK"] : ["SETTINGS", "SETTINGS ACK"]);
  if (!all) endpoint.frames.length = 0;
  endpoint.run(
    script.filter((line) => !line.startsWith("@ ")),
    pieceBytes,
  );
  const block = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");
  return { events: block(endpoint.events), frames: block(endpoint.frames) };
}

function record(file: string): void {
  const markdown = readFileSync(file, "utf8");
  const out = markdown.replace(
    /^```in\n([\s\S]*?)^```\n(?:\n?```(?:events|frames)\n[\s\S]*?^```\n)*/gm,
    (_, script: string) => {
      const { events, frames } = run(
        script.split("\n").filter((line) => line !== ""),
        Infinity,
      );
      return `\`\`\`in\n${script}\`\`\`\n\`\`\`events\n${events}\`\`\`\n\`\`\`frames\n${frames}\`\`\`\n`;
    },
  );
  writeFileSync(file, out);
}

const files = readdirSync(FOLDER).filter((name) => name.endsWith(".md"));
assert.ok(files.length > 0, "no case files");
for (const name of files) {
  if (process.env["RECORD_CASES"] === "1") record(FOLDER + name);
  const cases = parseCases(readFileSync(FOLDER + name, "utf8"));
  assert.ok(cases.length > 0, `no cases in ${name}`);
  describe(name, () => {
    for (const { title, rule, script, events, frames } of cases) {
      it(title, () => {
        assert.match(rule, /^RFC \d+ §/, "a case names its rule");
        assert.deepEqual(run(script, Infinity), { events, frames });
        assert.deepEqual(run(script, 1).events, events);
        assert.deepEqual(run(script, 7).events, events);
      });
    }
  });
}
