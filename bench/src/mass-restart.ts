// npm run bench:identity: many workloads restart at once, each with a key and a CSR of its own, and join over the network
// with a token each. Prints how long until all have their SVIDs, the issue times, and the memory of the control plane.
// The client, which makes the keys and checks the handshakes, runs on the same machine and shares its processors.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { JoinApi, parseJoinAddress, tokenPins } from "@ripstop/agent-engine";
import { systemClock } from "@ripstop/core";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import type { CreatedJoinTokenView } from "@ripstop/model";
import { commandOptions, count, flag } from "@ripstop/testkit";
import { cpuSeconds } from "./process-usage.ts";

const { values: options } = commandOptions(
  {
    command: "npm run bench:identity",
    about: "Many workloads restart at once and join, each with a key and a token of its own.",
  },
  { workloads: count(500, "workloads"), json: flag("figures as JSON") },
);
const { workloads } = options;
const MAX_ATTEMPTS = 20;
let retries = 0;
const executable = join(dirname(fileURLToPath(import.meta.url)), "../../apps/ripstop/dist/bundle/ripstop.js");

/** What one run showed; times in milliseconds. */
interface MassRestart {
  readonly workloads: number;
  readonly processors: number;
  readonly allWithinMs: number;
  readonly issueP50Ms: number;
  readonly issueP99Ms: number;
  readonly issueMaxMs: number;
  readonly controlPeakBytes: number;
  /** CPU that the control plane used for it, and the client, which makes the keys; on a busy machine these say more. */
  readonly controlCpuSeconds: number;
  readonly clientCpuSeconds: number;
  readonly failed: number;
  /** Attempts that got no answer and were made again. */
  readonly retries: number;
}

async function measure(home: string): Promise<MassRestart> {
  const control = spawn(process.execPath, [executable, "control", "--home", home], { stdio: "ignore" });
  try {
    const file = join(home, "control.json");
    while (!existsSync(file)) await pause(20);
    const { apiSocket } = JSON.parse(readFileSync(file, "utf8")) as { apiSocket: string };
    const tokens: CreatedJoinTokenView[] = [];
    for (let at = 0; at < workloads; at++) {
      tokens.push(
        await post(apiSocket, "/v1/join/tokens", { namespace: "bench", serviceAccount: `w${at}`, ttlMs: 600_000 }),
      );
    }
    const controlBefore = used(control.pid ?? 0);
    const clientBefore = used(process.pid);
    const startMs = performance.now();
    const joined = await Promise.all(tokens.map((token, at) => joinOne(token, `w${at}`)));
    const allWithinMs = performance.now() - startMs;
    const times = joined.filter((ms) => ms >= 0).sort((a, b) => a - b);
    const quantile = (part: number): number => times[Math.min(times.length - 1, Math.floor(times.length * part))] ?? 0;
    const peak = /^VmHWM:\s+([0-9]+) kB/m.exec(readFileSync(`/proc/${control.pid}/status`, "utf8"))?.[1];
    return {
      workloads,
      processors: availableParallelism(),
      allWithinMs,
      issueP50Ms: quantile(0.5),
      issueP99Ms: quantile(0.99),
      issueMaxMs: quantile(1),
      controlPeakBytes: Number(peak) * 1024,
      controlCpuSeconds: used(control.pid ?? 0) - controlBefore,
      clientCpuSeconds: used(process.pid) - clientBefore,
      failed: workloads - times.length,
      retries,
    };
  } finally {
    control.kill("SIGTERM");
    await new Promise((resolve) => control.once("close", resolve));
  }
}

/** Time from the request, key and CSR at hand, to the SVID: handshake, proof, signature and records; -1 when refused. */
async function joinOne({ token, joinAddress }: CreatedJoinTokenView, service: string): Promise<number> {
  const address = parseJoinAddress(joinAddress);
  const pins = tokenPins(token);
  if (address === undefined || !pins.ok) return -1;
  const api = new JoinApi({
    address,
    trust: { sha256: pins.value },
    clock: systemClock,
    evidence: () => ({ ok: true, value: { type: "token", text: token } }),
  });
  const { csrPem } = await createKeyAndCsr(`spiffe://mesh.local/ns/bench/sa/${service}`);
  const startMs = performance.now();
  for (let attempt = 0; ; attempt++) {
    const answer = await api.register({ service, namespace: "bench", labels: {}, ports: [], csrPem, pid: 0 });
    if (answer.ok) return performance.now() - startMs;
    // As `ripstop run` does: what may pass by itself is tried again, with the same key.
    if (answer.error.status === 0 && attempt < MAX_ATTEMPTS) {
      retries++;
      await pause(250);
      continue;
    }
    process.stderr.write(`${service}: ${answer.error.error.message}\n`);
    return -1;
  }
}

function post<Answer>(socketPath: string, path: string, body: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method: "POST", path, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(JSON.parse(text) as Answer));
    });
    outgoing.on("error", reject);
    outgoing.end(JSON.stringify(body));
  });
}

function used(pid: number): number {
  const { user, system } = cpuSeconds([pid]);
  return user + system;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => systemClock.after(ms, resolve));
}

const home = mkdtempSync(join(tmpdir(), "ripstop-restart-"));
const hold = setInterval(() => undefined, 60_000);
try {
  const shown = await measure(home);
  const ms = (value: number): string => `${value.toFixed(0)} ms`;
  process.stdout.write(
    options.json
      ? `${JSON.stringify(shown, undefined, 2)}\n`
      : `${shown.workloads} workloads on ${shown.processors} processors, ${shown.failed} failed, ${shown.retries} tried again: all have SVIDs after ${ms(shown.allWithinMs)}; issue time p50 ${ms(shown.issueP50Ms)}, p99 ${ms(shown.issueP99Ms)}, longest ${ms(shown.issueMaxMs)}; control plane at most ${(shown.controlPeakBytes / 1e6).toFixed(0)} MB; CPU ${shown.controlCpuSeconds.toFixed(1)} s, of the client ${shown.clientCpuSeconds.toFixed(1)} s\n`,
  );
  process.exitCode = shown.failed === 0 ? 0 : 1;
} finally {
  clearInterval(hold);
  rmSync(home, { recursive: true, force: true });
}
