// The lock file check.

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { judge } from "./lib/verdict.ts";
import { checkLockfile, checkManifest } from "./lockfile-check.ts";

const lock = (packages: object, lockfileVersion = 3): { path: string; text: string } => ({
  path: "package-lock.json",
  text: JSON.stringify({ lockfileVersion, packages: { "": {}, ...packages } }),
});

describe("checkLockfile", () => {
  it("accepts checksums without addresses, and links to workspaces", () => {
    const packages = {
      "node_modules/a": { version: "1.0.0", integrity: "sha512-x" },
      "node_modules/@ripstop/core": { resolved: "packages/core", link: true },
      "packages/core": {},
    };
    assert.deepEqual(checkLockfile(lock(packages)), { problems: [], seen: 3 });
  });

  it("refuses a download address, a missing checksum and another lock file version", () => {
    const { problems } = checkLockfile(lock({ "node_modules/a": { resolved: "https://registry.example/a.tgz" } }, 2));
    assert.equal(problems.length, 3);
    assert.match(problems.join("\n"), /download address/);
    assert.match(problems.join("\n"), /no checksum/);
  });
});

describe("checkManifest", () => {
  it("wants exact versions", () => {
    const text = JSON.stringify({
      dependencies: { a: "1.2.3", b: "^1.2.3" },
      devDependencies: { c: "latest", d: "1.0.0-rc.1" },
    });
    assert.deepEqual(checkManifest({ path: "package.json", text }), [
      "package.json: dependencies has b ^1.2.3; name one exact version",
      "package.json: devDependencies has c latest; name one exact version",
    ]);
  });
});

describe("judge", () => {
  it("fails a checker that saw nothing", () => {
    assert.equal(judge({ problems: [], seen: 0, noun: "files" }).ok, false);
    assert.equal(judge({ problems: [], seen: 1, noun: "files" }).ok, true);
    assert.equal(judge({ problems: ["a: b"], seen: 1, noun: "files" }).ok, false);
  });
});
