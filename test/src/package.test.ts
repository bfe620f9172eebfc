// The package as users install it: packed, installed into an empty folder elsewhere, and a mesh brought up from there.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { promisify } from "node:util";
import { root, start, type Running } from "./mesh.ts";
import { echoServer } from "./programs.ts";

const exec = promisify(execFile);

describe("the packed package in an empty folder", () => {
  const folder = mkdtempSync(join(tmpdir(), "ripstop-package-"));
  const env = { ...process.env, RIPSTOP_HOME: join(folder, "home"), NO_COLOR: "1", NODE_OPTIONS: "" };
  const running: Running[] = [];
  after(async () => {
    for (const { child } of running) child.kill("SIGTERM");
    await Promise.all(running.map((process) => process.ended));
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });
  const npx = (args: readonly string[]): Running => {
    // The installed command itself: npx adds a shell that does not pass signals on.
    const process = start(join(folder, "node_modules/.bin/ripstop"), args, { cwd: folder, env });
    running.push(process);
    return process;
  };

  it("brings a mesh up and carries a request", async () => {
    await exec("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: join(root, "apps/ripstop") });
    const [archive] = readdirSync(folder).filter((name) => name.endsWith(".tgz"));
    assert.ok(archive);
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    await exec("npm", ["install", "--no-audit", "--no-fund", `./${archive}`], { cwd: folder });
    assert.deepEqual(readdirSync(join(folder, "node_modules/ripstop")).sort(), [
      "LICENSE",
      "README.md",
      "dist",
      "package.json",
    ]);
    const { stdout } = await exec("npx", ["ripstop", "version"], { cwd: folder, env });
    assert.match(stdout, /[0-9]+\.[0-9]+\.[0-9]+/);

    const up = npx(["up"]);
    const [, dashboard] = await up.printed(/(http:\/\/127\.0\.0\.1:[0-9]+)/);
    npx(["run", "--service", "echo", "--port", "auto", "--", process.execPath, "--eval", echoServer]);
    const call = `
      const http = require("node:http"); const proxy = new URL(process.env.HTTP_PROXY);
      const again = () => http.get({ host: proxy.hostname, port: proxy.port, path: "http://echo/hello", headers: { host: "echo" } }, (response) => {
        let body = ""; response.on("data", (chunk) => (body += chunk)); response.on("end", () => {
          if (response.statusCode !== 200) return setTimeout(again, 50);
          console.log("answered", body); process.exit(7);
        });
      }).on("error", () => setTimeout(again, 50));
      again();`;
    const caller = npx(["run", "--service", "caller", "--", process.execPath, "--eval", call]);
    await caller.printed(/answered \{"method":"GET","url":"\/hello"/);
    assert.equal(await caller.ended, 7, "run exits with the exit code of the application");

    const page = await fetch(dashboard ?? "");
    assert.equal(page.status, 200);
    assert.match(await page.text(), /<title>Ripstop<\/title>/);
  });
});
