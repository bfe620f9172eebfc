// `ripstop check` on a real mesh: in order, then with open key files, then without a control plane.

import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Mesh } from "./mesh.ts";
import { echoServer } from "./programs.ts";

interface Report {
  readonly ok: boolean;
  readonly problems: number;
  readonly sections: readonly {
    readonly name: string;
    readonly findings: readonly { readonly severity: string; readonly message: string; readonly remedy: string }[];
  }[];
}

describe("ripstop check", () => {
  const mesh = new Mesh();
  before(async () => {
    await mesh.startControl();
    mesh.ripstop(["run", "--service", "echo", "--port", "auto", "--", process.execPath, "--eval", echoServer]);
    await mesh.until("echo is ready", async () =>
      /"ready":true.*"proxyConnected":true/.test((await mesh.api("GET", "/v1/workloads")).body) ? true : undefined,
    );
  });
  after(() => mesh.stop());

  async function report(): Promise<{ readonly code: number | null; readonly report: Report }> {
    const { code, output } = await mesh.command(["check", "-o", "json"]);
    return { code, report: JSON.parse(output) as Report };
  }

  it("finds a mesh in order, section by section", async () => {
    const { code, report: found } = await report();
    const problems = found.sections.flatMap(({ findings }) => findings.filter(({ severity }) => severity !== "ok"));
    assert.deepEqual(problems, []);
    assert.equal(code, 0);
    assert.deepEqual(
      found.sections.map(({ name }) => name),
      ["control plane", "identity", "proxies", "API access", "mesh home"],
    );
    const text = (await mesh.command(["check"])).output;
    assert.match(text, /ok +root "CN=.*" ends in \d+ d/);
    assert.match(text, /everything is in order/);
  });

  it("ends with 1 and names the key that others may read", async () => {
    const key = join(mesh.home, "authority", "root.key.pem");
    chmodSync(key, 0o644);
    const { code, report: found } = await report();
    assert.equal(code, 1);
    assert.equal(found.problems, 1);
    assert.ok(found.sections.at(-1)?.findings.some(({ message }) => message === `others may use ${key}`));
    chmodSync(key, 0o600);
  });

  it("ends with 1 and says so when no control plane answers", async () => {
    const { code, output } = await mesh.command(["check", "--home", join(mesh.home, "nowhere")]);
    assert.equal(code, 1);
    assert.match(output, /PROBLEM {2}The control plane does not answer \(RS4001\)/);
  });
});
