// The supervisor's side of several processes behind one socket, with a stand-in for the proxy.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { holdProcess, type Timer } from "@ripstop/core";
import { PatientClock } from "@ripstop/testkit";
import { ProxySupervisor } from "./proxy-supervisor.ts";

const program = (name: string): string => fileURLToPath(new URL(`../testdata/${name}.mjs`, import.meta.url));

/** Process id of whoever answers; "" when the connection is refused or cut. */
function ask(port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1");
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => (text += chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text));
  });
}

describe("ProxySupervisor", () => {
  let supervisor: ProxySupervisor;
  let port = 0;
  let readyCount = 0;
  let closedPorts: number[];
  let wake: () => void = () => undefined;
  let hold: Timer;

  function create(workers: number, name: string = "fake-worker"): Promise<void> {
    const events = {
      onListening: (ports: { readonly workloads: Readonly<Record<string, { readonly inbound: number }>> }) =>
        void (port = ports.workloads["w"]?.inbound ?? 0),
      onReady: () => {
        readyCount++;
        wake();
      },
      onIdentity: () => undefined,
      onClosedPorts: (ports: readonly unknown[]) => void closedPorts.push(ports.length),
      onDied: () => undefined,
      onFailed: (description: string) => assert.fail(description),
    };
    const command = { execPath: process.execPath, execArgs: [], modulePath: program(name), args: [], env: {} };
    supervisor = new ProxySupervisor(
      command,
      "/nowhere",
      { clock: new PatientClock({ graceTimes: 30 }), events },
      { workers },
    );
    supervisor.start();
    return ready(workers);
  }
  function ready(count: number): Promise<void> {
    return new Promise((resolve) => {
      wake = () => {
        if (readyCount >= count) resolve();
      };
      wake();
    });
  }

  beforeEach(() => {
    hold = holdProcess();
    readyCount = 0;
    closedPorts = [];
    delete process.env["FAKE_WORKER"];
  });
  afterEach(async () => {
    await supervisor.stop();
    delete process.env["FAKE_WORKER"];
    hold.clear();
  });

  it("starts as many processes as asked for, all behind one socket, and replaces all of them in a hand-over", async () => {
    await create(3);
    const before = supervisor.pids;
    assert.equal(before.length, 3);
    assert.ok(before.includes(Number(await ask(port))));
    const samePort = port;
    assert.deepEqual(await supervisor.handOver(60_000), { ok: true });
    assert.equal(supervisor.pids.length, 3);
    assert.ok(supervisor.pids.every((pid) => !before.includes(pid)));
    assert.ok(supervisor.pids.includes(Number(await ask(samePort))));
  });

  it("leaves the old processes in service when the new ones do not come to serve", async () => {
    await create(2);
    const before = supervisor.pids;
    process.env["FAKE_WORKER"] = "broken";
    const done = await supervisor.handOver(60_000);
    assert.equal(done.ok, false);
    assert.deepEqual(supervisor.pids, before);
    assert.ok(before.includes(Number(await ask(port))));
  });

  it("answers a connection that came while no process was there", async () => {
    await create(1);
    const [pid = 0] = supervisor.pids;
    process.kill(pid, "SIGKILL");
    const answer = Number(await ask(port));
    assert.ok(answer > 0);
    await ready(2);
    assert.notEqual(Number(await ask(port)), pid);
  });

  it("starts the others when the lead has opened a socket, gives copies to those that ask, and closes all at its word", async () => {
    await create(3, "fake-gateway");
    const [lead = 0, ...others] = supervisor.pids;
    assert.equal(others.length, 2);
    process.kill(lead, "SIGUSR2");
    // Copies are closed one after the other; whoever has one still answers.
    while ((await ask(port)) !== "") await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(
      supervisor.pids.toSorted((a, b) => a - b),
      [lead, ...others].toSorted((a, b) => a - b),
    );
    assert.deepEqual(closedPorts, [0], "only the lead says which ports are closed");
  });

  it("keeps the socket of a lead that is killed, for the others and the one that is started in its place", async () => {
    await create(2, "fake-gateway");
    const [lead = 0, other = 0] = supervisor.pids;
    process.kill(lead, "SIGKILL");
    await ready(3);
    assert.ok(!supervisor.pids.includes(lead));
    assert.ok(supervisor.pids.includes(other));
    assert.ok(supervisor.pids.includes(Number(await ask(port))));
  });

  it("refuses connections after a drain, which all processes have finished, and a hand-over too", async () => {
    await create(2);
    await supervisor.drain(60_000);
    assert.equal(await ask(port), "");
    assert.equal((await supervisor.handOver(60_000)).ok, false);
  });
});
