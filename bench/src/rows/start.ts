// From the start of the process to the first answered request.

import { mkdtempSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { about, atMost } from "../goals.ts";
import { median } from "../median.ts";
import type { Launch } from "../peers/peer.ts";
import { freePort, pause, startChild, stopChild } from "../processes.ts";
import { Http1Answers } from "../programs/http1-answers.ts";
import { http1Upstreams } from "../upstream.ts";
import type { Row, RowContext, RowResult } from "./row.ts";

const STARTS = 10;
const LIMIT_MS = 15_000;

/** Asks once; true when the answer is 200. */
function isAnswered(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const done = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    const answers = new Http1Answers((status) => done(status === 200));
    socket.once("connect", () => socket.write("GET /api/items HTTP/1.1\r\nhost: backend\r\n\r\n"));
    socket.on("data", (chunk: Buffer) => answers.push(chunk));
    socket.once("error", () => done(false));
    socket.once("end", () => done(false));
  });
}

async function startOnce(launch: Launch, port: number): Promise<number> {
  const began = performance.now();
  const { child, output } = startChild(launch);
  try {
    while (performance.now() - began < LIMIT_MS) {
      if (await isAnswered(port)) return performance.now() - began;
      if (child.exitCode !== null) throw new Error(`it ended: ${output()}`);
      await pause(1);
    }
    throw new Error(`no answer within ${LIMIT_MS} ms: ${output()}`);
  } finally {
    await stopChild(child);
  }
}

async function measure(context: RowContext): Promise<RowResult> {
  const upstreams = await http1Upstreams(1, join(context.folder, "upstreams"));
  const notMeasured: { peer: string; why: string }[] = [];
  const contestants = [];
  try {
    for (const peer of context.peers)
      contestants.push({ peer, listen: await freePort(), times: [] as number[], why: "" });
    for (let round = 0; round < STARTS; round++) {
      for (const contestant of contestants) {
        if (contestant.why !== "") continue;
        try {
          // Anew for each start: what an earlier run left on disk may not count.
          const { peer, listen } = contestant;
          const launch = await peer.plain({
            protocol: "http1",
            listen,
            upstreams: upstreams.ports,
            folder: mkdtempSync(join(context.folder, "peer-")),
          });
          contestant.times.push(await startOnce(launch, listen));
        } catch (error) {
          contestant.why = String(error);
          notMeasured.push({ peer: contestant.peer.name, why: contestant.why });
        }
      }
    }
  } finally {
    await upstreams.stop();
  }
  const entries = contestants
    .filter(({ why }) => why === "")
    .map(({ peer, times }) => ({
      peer: peer.name,
      version: peer.version(),
      values: { medianMs: median(times), worstMs: Math.max(...times) },
    }));
  return { entries, notMeasured, notes: [] };
}

export const start: Row = {
  id: "start",
  title: "Start to first answered request",
  what: `From the start of the process until a GET through it is answered with 200, asked again every millisecond; ${STARTS} starts of each in turn, config and certificates on disk. No proxy's first start on the machine: Ripstop has kept what V8 compiled then, for a first request too.`,
  columns: [
    { key: "medianMs", heading: "median ms", digits: 0 },
    { key: "worstMs", heading: "worst ms", digits: 0 },
  ],
  profiled: false,
  measure,
  judge: (entries) => [about("median", atMost(entries, "medianMs", 150, "ms"))],
};
