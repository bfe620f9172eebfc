// Worker of the open-loop program: wakes its parent at each moment at which a request is due, finer than timers can.

import { parentPort, workerData } from "node:worker_threads";
import { nowMs } from "./program.ts";

const { ratePerSecond, seconds, originMs } = workerData as { ratePerSecond: number; seconds: number; originMs: number };
const total = Math.floor(ratePerSecond * seconds);
const sleeper = new Int32Array(new SharedArrayBuffer(4));
for (let due = 0; due < total;) {
  const wait = originMs + (due * 1000) / ratePerSecond - nowMs();
  // Nothing ever notifies: this is a sleep of a fraction of a millisecond.
  if (wait > 0) Atomics.wait(sleeper, 0, 0, wait);
  due = Math.min(total, Math.floor(((nowMs() - originMs) * ratePerSecond) / 1000) + 1);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker's port, not a window, has no origin
  parentPort?.postMessage(due);
}
