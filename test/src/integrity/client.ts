// The client of the integrity run, an application of the mesh: takes plan after plan, compares, and prints what is wrong.
//   node client.js SEED FIRST COUNT LANES WARM       with the declared upstreams h1, h2 and tcp
// One line of JSON a finding, a line of progress a second. After the first WARM exchanges it closes all connections, says
// so, and waits for a line on stdin; after the last it closes them again, prints a summary, and waits for SIGTERM.

import { once } from "node:events";
import { Agent } from "node:http";
import type { ClientHttp2Session } from "node:http2";
import { openSession, overHttp1, overHttp2, type Way } from "./http-exchange.ts";
import { overSocket } from "./http-socket.ts";
import { judge } from "./outcome.ts";
import { pipelined } from "./pipeline.ts";
import { makePlan, type Application, type Plan } from "./plan.ts";
import { overTcp, webSocketHttp1, webSocketHttp2 } from "./tunnels.ts";

// On a machine that is busy with other things an exchange may take long: it is stuck when many others have passed it by.
const STUCK_MS = 20_000;
const STUCK_EXCHANGES = 2_000;
const STUCK_FOR_CERTAIN_MS = 180_000;
const SESSIONS = 4;
const MAX_FINDINGS = 40;

const [seed = 1, first = 1, count = 1, lanes = 32, warm = 0] = process.argv.slice(2).map(Number);

function portOf(application: Application): number {
  return Number(process.env[`${application.toUpperCase()}_SERVICE_PORT`]);
}

const proxyPort = Number(new URL(process.env["HTTP_PROXY"] ?? "http://127.0.0.1:1").port);
const newAgent = (): Agent => new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 64 });
let agent = newAgent();
const sessions = new Map<string, ClientHttp2Session>();
const kinds = new Map<string, number>();
let bytes = 0;
let findings = 0;
let finished = 0;

function sessionFor(port: number, index: number): ClientHttp2Session {
  const key = `${port} ${index % SESSIONS}`;
  const known = sessions.get(key);
  if (known !== undefined && !known.closed && !known.destroyed) return known;
  const opened = openSession(port);
  sessions.set(key, opened);
  return opened;
}

function report(index: number, wrong: string): void {
  findings++;
  if (findings <= MAX_FINDINGS)
    process.stdout.write(`${JSON.stringify({ wrong, index, plan: makePlan(seed, index) })}\n`);
}

function wayOf(plan: Plan): Way {
  const host = plan.application;
  const path = `/exchange/${plan.server.index}`;
  if (plan.client === "proxy") return { port: proxyPort, path: `http://${host}${path}`, host };
  return { port: portOf(plan.application), path, host };
}

async function perform(plan: Plan): Promise<string | undefined> {
  const way = wayOf(plan);
  if (plan.kind === "pipeline") return pipelined(plan, way);
  let seen;
  if (plan.kind === "tcp") seen = await overTcp(plan, way);
  else if (plan.client === "h2") {
    const session = sessionFor(way.port, plan.server.index);
    seen = plan.kind === "websocket" ? await webSocketHttp2(plan, way, session) : await overHttp2(plan, way, session);
  } else if (plan.kind === "websocket") seen = await webSocketHttp1(plan, way);
  else if (plan.bare) {
    const { seen: first, wrong } = await overSocket(plan, way);
    if (wrong !== undefined) return wrong;
    seen = first;
  } else seen = await overHttp1(plan, way, agent);
  bytes += seen.check.received;
  return judge(plan, seen);
}

/** Says when an exchange will never end. */
class StuckWatch {
  readonly stuck: Promise<string>;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    const before = finished;
    let waitedMs = 0;
    let found: (wrong: string) => void = () => undefined;
    this.stuck = new Promise((resolve) => (found = resolve));
    this.#timer = setInterval(() => {
      waitedMs += STUCK_MS;
      const passed = finished - before;
      if (passed < STUCK_EXCHANGES && waitedMs < STUCK_FOR_CERTAIN_MS) return;
      found(`no end within ${waitedMs / 1000} s, in which ${passed} others ended`);
    }, STUCK_MS);
  }

  end(): void {
    clearInterval(this.#timer);
  }
}

let next = first;
async function lane(end: number): Promise<void> {
  while (next < end) {
    const index = next++;
    const plan = makePlan(seed, index);
    const watch = new StuckWatch();
    const wrong = await Promise.race([perform(plan), watch.stuck]).catch((error: unknown) => `threw ${String(error)}`);
    watch.end();
    if (wrong !== undefined) report(index, wrong);
    finished++;
    const kind = plan.kind === "exchange" ? `${plan.client}-to-${plan.application}` : plan.kind;
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (plan.bare) kinds.set("bare", (kinds.get("bare") ?? 0) + 1);
    if (plan.abortAt !== -1 || plan.server.abortAt !== -1) kinds.set("cut", (kinds.get("cut") ?? 0) + 1);
    if (plan.server.abortAt === -1 && plan.abortAt === -1) bytes += plan.server.up;
  }
}

process.on("SIGTERM", () => process.exit(0));
const progress = setInterval(
  () => process.stdout.write(`${JSON.stringify({ progress: finished, bytes, findings })}\n`),
  1000,
);

async function runTo(end: number): Promise<void> {
  await Promise.all(Array.from({ length: lanes }, () => lane(end)));
  agent.destroy();
  agent = newAgent();
  for (const session of sessions.values()) session.destroy();
  sessions.clear();
}

if (warm > 0) {
  await runTo(first + Math.min(warm, count));
  process.stdout.write(`${JSON.stringify({ warm: finished })}\n`);
  await once(process.stdin, "data");
  process.stdin.pause();
}
await runTo(first + count);
clearInterval(progress);
process.stdout.write(`${JSON.stringify({ summary: finished, bytes, findings, kinds: Object.fromEntries(kinds) })}\n`);
setInterval(() => undefined, 1000);
