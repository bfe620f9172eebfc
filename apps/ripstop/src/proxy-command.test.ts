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

  it("gives no option that makes V8 refuse Node's own code where the program does without it", () => {
    const young = "--max-semi-space-size=2";
    assert.ok(proxyCommand(main).execArgs.includes(young));
    const folder = mkdtempSync(join(tmpdir(), "ripstop-command-"));
    try {
      for (const name of ["ripstop.js", "proxy-start.cjs"]) writeFileSync(join(folder, name), "");
      const { modulePath, execArgs } = proxyCommand(join(folder, "ripstop.js"));
      assert.equal(modulePath, join(realpathSync(folder), "proxy-start.cjs"));
      // Since Node 22 `--no-maglev` is one as well.
      assert.equal(execArgs.includes(young), Number.parseInt(process.versions.node) >= 22);
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
