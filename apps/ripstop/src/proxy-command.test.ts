import { execFile } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { TestAuthority } from "@ripstop/testkit";
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { proxyCommand } from "./proxy-command.ts";

/** Counts the tickets that a server of this process sends with one handshake. */
const COUNT_TICKETS = `
  const { createServer, connect } = require("node:tls");
  const { key, cert } = JSON.parse(process.env.IDENTITY);
  const server = createServer({ key, cert }, (socket) => socket.end("done"));
  server.listen(0, "127.0.0.1", () => {
    let tickets = 0;
    const client = connect({ port: server.address().port, host: "127.0.0.1", rejectUnauthorized: false });
    client.on("session", () => tickets++);
    client.on("close", () => { console.log(tickets); server.close(); });
    client.resume();
  });`;

/** Prints code as V8 compiles it under the options of this process. */
const COMPILE = `
  const { Script } = require("node:vm");
  process.stdout.write(new Script("(() => 'compiled')").createCachedData().toString("base64"));`;

/** Says whether V8 refuses that code under the options of this process. */
const IS_REFUSED = `
  const { Script } = require("node:vm");
  const cachedData = Buffer.from(process.argv[1], "base64");
  process.stdout.write(String(new Script("(() => 'compiled')", { cachedData }).cachedDataRejected));`;

describe("the command of a proxy", () => {
  const main = join(dirname(fileURLToPath(import.meta.url)), "main.js");

  it("makes OpenSSL send one session ticket instead of two", async () => {
    const authority = await TestAuthority.create();
    const { chainPem, keyPem } = await authority.issue(authority.idOf("web"));
    const { execPath, execArgs } = proxyCommand(main);
    const { stdout } = await promisify(execFile)(execPath, [...execArgs, "-e", COUNT_TICKETS], {
      env: { ...process.env, IDENTITY: JSON.stringify({ key: keyPem, cert: chainPem }) },
    });
    assert.equal(stdout.trim(), "1");
  });

  it("gives no option under which V8 refuses Node's own code where the program does without it", async () => {
    const young = "--max-semi-space-size=2";
    assert.ok(proxyCommand(main).execArgs.includes(young));
    const folder = mkdtempSync(join(tmpdir(), "ripstop-command-"));
    try {
      for (const name of ["ripstop.js", "proxy-start.cjs"]) writeFileSync(join(folder, name), "");
      const { execPath, modulePath, execArgs } = proxyCommand(join(folder, "ripstop.js"));
      assert.equal(modulePath, join(realpathSync(folder), "proxy-start.cjs"));
      const run = async (...args: readonly string[]): Promise<string> =>
        (await promisify(execFile)(execPath, args)).stdout;
      const code = await run("-e", COMPILE);
      assert.equal(await run(...execArgs, "-e", IS_REFUSED, code), "false");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("leaves OpenSSL's configuration to the operator who has chosen one", () => {
    process.env["OPENSSL_CONF"] = "/etc/ssl/fips.cnf";
    try {
      assert.ok(!proxyCommand(main).execArgs.some((option) => option.includes("openssl")));
    } finally {
      delete process.env["OPENSSL_CONF"];
    }
  });
});
