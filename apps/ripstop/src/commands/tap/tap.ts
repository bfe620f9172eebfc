// Opens a tap and prints its events until Ctrl-C.

import type { TapNotice, telemetry } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { shortIdentity } from "../../output/short-identity.ts";
import { printable } from "../../output/table.ts";
import { printUnknown } from "../../output/unknown-replicas.ts";

/** Options of `ripstop tap`. */
export interface TapOptions extends HomeOption, OutputOption {
  readonly source?: string;
  readonly destination?: string;
  readonly path?: string;
  readonly minStatus?: number;
  readonly count?: number;
}

const HEADER =
  "TIME          SOURCE → DESTINATION                  METHOD  PATH                            STATUS  LATENCY   TLS\n";

/** Prints events; the exit code. */
export async function tap(options: TapOptions): Promise<number> {
  const query = new URLSearchParams({ notices: "true" });
  if (options.source !== undefined) query.set("source", options.source);
  if (options.destination !== undefined) query.set("destination", options.destination);
  if (options.path !== undefined) query.set("path", options.path);
  if (options.minStatus !== undefined) query.set("minStatus", String(options.minStatus));
  let left = options.count ?? Number.POSITIVE_INFINITY;
  let headed = false;
  const stream = controlApi(options).lines(`/v1/tap?${query.toString()}`, (line) => {
    if (left <= 0) return;
    const notice = parseLine<TapNotice>(line);
    if (notice?.notice !== undefined && notice.replica !== undefined) {
      const what = notice.notice === "back" ? "its requests are shown again" : "its requests are missing";
      printUnknown([notice.replica], what);
      return;
    }
    if (options.output === "json") process.stdout.write(`${line}\n`);
    else {
      const event = parseLine<telemetry.TapEvent>(line);
      if (event === undefined) return;
      if (!headed) process.stdout.write(HEADER);
      headed = true;
      process.stdout.write(formatEvent(event));
    }
    if (--left <= 0) stream.close();
  });
  const stop = (): void => stream.close();
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const failure = await stream.done;
  process.off("SIGINT", stop);
  process.off("SIGTERM", stop);
  return failure === undefined ? exitCodes.done : printFailure(failure);
}

/** Without a field that the other side left out (a neighbouring version). */
type Event = Partial<telemetry.TapEvent>;

function parseLine<Line>(line: string): Partial<Line> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    // Every field is optional and printed as text: a wrong one can do no harm.
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** One line of the table. */
export function formatEvent(event: Event): string {
  const time = timeOfDay(Number(event.timeUnixMs ?? 0));
  const source = name(event.sourceService, event.sourceIdentity);
  const destination = name(event.destinationService, event.destinationIdentity);
  const path = event.path === undefined || event.path === "" ? "-" : event.path;
  const method = event.method === undefined || event.method === "" ? (event.protocol ?? "-") : event.method;
  const grpc = event.protocol === "grpc" && event.grpcStatus !== undefined ? `/${event.grpcStatus}` : "";
  const status = event.status === undefined || event.status === 0 ? "-" : `${event.status}${grpc}`;
  const latency = `${(Number(event.latencyUs ?? 0) / 1000).toFixed(1)} ms`;
  const tls = event.tlsVersion === undefined || event.tlsVersion === "" ? "no" : event.tlsVersion;
  const cause =
    event.errorCode === undefined || event.errorCode === "" ? "" : `  ${event.errorCode} ${event.errorCause ?? ""}`;
  const cells = [
    time.padEnd(12),
    `${source} → ${destination}`.padEnd(37),
    method.padEnd(6),
    path.padEnd(30),
    status.padStart(6),
    latency.padStart(9),
    `${tls}${cause}`,
  ];
  return `${printable(cells.join("  ").trimEnd())}\n`;
}

function name(service: string | undefined, identity: string | undefined): string {
  if (service !== undefined && service !== "") return service;
  return shortIdentity(identity ?? "");
}

/** "15:04:05.678" of local time. */
function timeOfDay(timeMs: number): string {
  return new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    fractionalSecondDigits: 3,
  }).format(timeMs);
}
