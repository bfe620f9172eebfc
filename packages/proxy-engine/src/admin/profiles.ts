// Profiles of the running process on demand, by V8's own inspector inside the process: no port is opened. One at a time,
// bounded in time and size.

import { err, ok, type Clock, type Result } from "@ripstop/core";

/** Longest profile. */
export const MAX_PROFILE_SECONDS = 60;
const DEFAULT_SECONDS = 5;
const SAMPLING_INTERVAL_BYTES = 32_768;
const CPU_INTERVAL_US = 500;
/** A heap snapshot that grows beyond this is given up. */
const MAX_SNAPSHOT_BYTES = 256 * 1024 * 1024;

/** What can be taken: where the CPU goes, who allocates, what is in the heap. */
export type ProfileKind = "cpu" | "heap" | "snapshot";

let busy = false;

/** A profile of `seconds` (1 … 60, default 5) as the text of a file for Chrome's developer tools, or why not. */
export async function takeProfile(
  kind: ProfileKind,
  clock: Clock,
  seconds: number | undefined,
): Promise<Result<string, string>> {
  const duration = seconds ?? DEFAULT_SECONDS;
  if (!(duration >= 1 && duration <= MAX_PROFILE_SECONDS)) return err(`seconds must be 1 to ${MAX_PROFILE_SECONDS}`);
  if (busy) return err("a profile is being taken already");
  busy = true;
  try {
    const { Session } = await import("node:inspector/promises");
    const session = new Session();
    session.connect();
    try {
      const wait = (): Promise<void> => new Promise((resolve) => void clock.after(duration * 1_000, resolve));
      if (kind === "cpu") {
        await session.post("Profiler.enable");
        await session.post("Profiler.setSamplingInterval", { interval: CPU_INTERVAL_US });
        await session.post("Profiler.start");
        await wait();
        const { profile } = await session.post("Profiler.stop");
        return ok(JSON.stringify(profile));
      }
      if (kind === "heap") {
        await session.post("HeapProfiler.startSampling", { samplingInterval: SAMPLING_INTERVAL_BYTES });
        await wait();
        const { profile } = await session.post("HeapProfiler.stopSampling");
        return ok(JSON.stringify(profile));
      }
      const chunks: string[] = [];
      let bytes = 0;
      session.on("HeapProfiler.addHeapSnapshotChunk", ({ params: { chunk } }) => {
        bytes += chunk.length;
        if (bytes <= MAX_SNAPSHOT_BYTES) chunks.push(chunk);
        else chunks.length = 0;
      });
      await session.post("HeapProfiler.takeHeapSnapshot", { reportProgress: false });
      if (bytes > MAX_SNAPSHOT_BYTES)
        return err(`the snapshot has ${bytes} bytes, at most ${MAX_SNAPSHOT_BYTES} are taken`);
      return ok(chunks.join(""));
    } finally {
      session.disconnect();
    }
  } catch (cause) {
    return err(cause instanceof Error ? cause.message : String(cause));
  } finally {
    busy = false;
  }
}
