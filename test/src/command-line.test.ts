// The command line as a person uses it, against a real control plane.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { HistoryPage } from "@ripstop/model";
import { MeshClient } from "./http-client.ts";
import { executable, Mesh, start } from "./mesh.ts";
import { echoServer } from "./programs.ts";

const GOOD = `
apiVersion: v1
kind: Service
metadata: { name: good, namespace: shop }
spec: { selector: { app: good }, ports: [{ port: 80 }] }
`;
const BAD = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: route, namespace: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: good }]
  rules:
    - matches: [{ path: { type: Prefix, value: /books } }]
      backendRefs: [{ name: good, port: 80, wieght: 3 }]
`;

describe("the command line", () => {
  const mesh = new Mesh();
  const file = (name: string, text: string): string => {
    const path = join(mesh.home, name);
    writeFileSync(path, text);
    return path;
  };
  after(() => mesh.stop());

  it("is there as `npx ripstop` in a checkout that npm start or npm test set up", async () => {
    // dist/bundle/ripstop.js → ripstop → apps → the checkout
    const checkout = join(dirname(executable), "../../../..");
    const linked = start(join(checkout, "node_modules/.bin/ripstop"), ["--help"]);
    assert.equal(await linked.ended, 0);
    assert.match(linked.output(), /apply/);
  });

  describe("without a control plane", () => {
    it("says what to start, and exits with 4", async () => {
      const { code, output } = await mesh.command(["get", "services"]);
      assert.equal(code, 4);
      assert.match(output, /RS4001[^]*ripstop up/);
    });
  });

  describe("with one", () => {
    before(() => mesh.startControl());

    it("names every violation with file, line and column, and applies nothing of any file", async () => {
      const good = file("good.yaml", GOOD);
      const bad = file("bad.yaml", BAD);
      const { code, output } = await mesh.command(["apply", "-f", good, "-f", bad]);
      assert.equal(code, 3, output);
      assert.match(output, /bad\.yaml:8:\d+ spec\.rules\[0\]\.matches\[0\]\.path\.type .*PathPrefix/);
      assert.match(output, /bad\.yaml:9:\d+ spec\.rules\[0\]\.backendRefs\[0\]\.wieght .*Did you mean weight/);
      assert.equal((await mesh.command(["get", "service", "good", "-n", "shop"])).code, 1);
    });

    it("applies, shows, describes and deletes", async () => {
      assert.match((await mesh.command(["apply", "-"], GOOD)).output, /Service shop\/good created/);
      assert.match((await mesh.command(["apply", "-"], GOOD)).output, /Service shop\/good unchanged/);
      const shown = await mesh.command(["get", "service", "good", "-n", "shop", "-o", "json"]);
      assert.equal((JSON.parse(shown.output) as { metadata: { generation: number } }).metadata.generation, 1);
      assert.match((await mesh.command(["describe", "service", "good", "-n", "shop"])).output, /app: good/);
      assert.match((await mesh.command(["delete", "service", "good", "-n", "shop"])).output, /deleted/);
      assert.equal((await mesh.command(["get", "service", "good", "-n", "shop"])).code, 1);
    });

    it("shows the history, what files would change, and goes back", async () => {
      await mesh.command(["apply", "-", "--reason", "first"], GOOD);
      const changed = GOOD.replace("port: 80", "port: 81");
      const diff = await mesh.command(["diff", "-f", "-"], changed);
      assert.equal(diff.code, 1, diff.output);
      assert.match(diff.output, /^-    - port: 80\n\+    - port: 81$/m);
      assert.equal((await mesh.command(["diff", "-f", "-"], GOOD)).code, 0);
      await mesh.command(["apply", "-", "--reason", "second"], changed);
      const shown = await mesh.command(["history", "service", "good", "-n", "shop", "-o", "json"]);
      const page = JSON.parse(shown.output) as HistoryPage;
      assert.deepEqual(
        page.revisions.slice(0, 2).map(({ reason }) => reason),
        ["second", "first"],
      );
      assert.match((await mesh.command(["history"])).output, /REVISION +TIME[^]*Service shop\/good configured +second/);
      const to = String(page.revisions[1]?.number);
      const back = await mesh.command(["rollback", "service", "good", "-n", "shop", "--to", to]);
      assert.match(back.output, /Service shop\/good configured/);
      assert.equal((await mesh.command(["diff", "-f", "-"], GOOD)).code, 0);
      assert.equal((await mesh.command(["diff", to])).output, "");
    });

    it("runs on when nobody reads what it says, and ends its application when it is told to", async () => {
      const said = `console.log("pid " + process.pid);${echoServer}`;
      const run = mesh.ripstop([
        ...["run", "--service", "unread", "--port", "auto", "--"],
        ...[process.execPath, "--eval", said],
      ]);
      const pid = Number((await run.printed(/^pid (\d+)$/m))[1]);
      const proxyPid = async (): Promise<number | undefined> => {
        const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
          workloads: { service: string; ready: boolean; proxyPid: number }[];
        };
        return workloads.find(({ service, ready }) => service === "unread" && ready)?.proxyPid || undefined;
      };
      const before = await mesh.until("the application is ready", proxyPid);
      run.child.stdout?.destroy();
      run.child.stderr?.destroy();
      // It and both processes of its proxy tell of the exchange.
      run.child.kill("SIGUSR2");
      await mesh.until("another process is its proxy", async () => {
        const now = await proxyPid();
        return now !== undefined && now !== before ? true : undefined;
      });
      run.child.kill("SIGTERM");
      assert.equal(await run.ended, 0);
      assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
    });

    it("ends quietly when the reader of its output has enough", async () => {
      mesh.ripstop(["run", "--service", "echo", "--port", "auto", "--", process.execPath, "--eval", echoServer]);
      const client = await MeshClient.start(mesh, "caller");
      const send = async (): Promise<true | undefined> =>
        (await client.send("http://echo/")).status === 200 ? true : undefined;
      await mesh.until("echo answers", send);
      const pipe = start(
        "bash",
        ["-c", `set -o pipefail; "${process.execPath}" "${executable}" tap -o json | head -n 1`],
        {
          env: { ...process.env, RIPSTOP_HOME: mesh.home },
        },
      );
      let ended = false;
      void pipe.ended.then(() => (ended = true));
      await mesh.until("the pipe ends", async () => {
        await send();
        return ended ? true : undefined;
      });
      assert.equal(await pipe.ended, 0, pipe.output());
      assert.match(pipe.output(), /^\{[^\n]*"path":"\/"[^\n]*\}\n$/);
    });
  });
});
