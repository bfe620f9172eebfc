// A tap as the answer to a request: what the query asks for, and one JSON object a line until either side ends it.

import type { ServerResponse } from "node:http";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { TapNotice, telemetry } from "@ripstop/model";

import { badRequest, tooManyTaps } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Tap, TapFilter } from "../telemetry/tap-hub.ts";
import { beginStream } from "./http-answer.ts";

/** Where a tap is opened. */
export interface TapSource {
  open(watcher: {
    readonly filter: TapFilter;
    onEvent(event: telemetry.TapEvent): boolean;
    onNotice(notice: TapNotice): void;
  }): Tap | undefined;
}

/** How to answer. */
export interface TapAnswer {
  readonly source: TapSource;
  readonly filter: TapFilter;
  /** Lines that are no requests are written too. */
  readonly notices?: boolean;
  /** An empty line is sent so often, so that the other end knows that this one lives. */
  readonly beat?: { readonly clock: Clock; readonly everyMs: number };
}

/** The filter of a query. */
export function readTapFilter(query: URLSearchParams): Result<TapFilter, Failure> {
  const minStatus = query.get("minStatus");
  if (minStatus !== null && !/^[0-9]{1,3}$/.test(minStatus)) {
    const message = `minStatus is ${JSON.stringify(minStatus)}; it must be a status such as 500`;
    return err({ kind: badRequest, message });
  }
  const given = (name: string): string | undefined => query.get(name) ?? undefined;
  return ok({
    source: given("source"),
    destination: given("destination"),
    path: given("path"),
    minStatus: minStatus === null ? undefined : Number(minStatus),
  });
}

/** A filter as a query. */
export function tapQuery(filter: TapFilter): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) if (value !== undefined) query.set(name, String(value));
  return query.toString();
}

/** Answers with a tap; a failure when none can be opened. */
export function answerTap(response: ServerResponse, answer: TapAnswer): Failure | undefined {
  const { source, filter, notices = false, beat } = answer;
  const write = (line: unknown): boolean => response.write(`${JSON.stringify(line)}\n`);
  let early: TapNotice[] | undefined = [];
  const tap = source.open({
    filter,
    onEvent: write,
    onNotice(notice) {
      if (!notices) return;
      if (early === undefined) write(notice);
      else early.push(notice);
    },
  });
  if (tap === undefined) return { kind: tooManyTaps, message: "all that may be open are open" };
  beginStream(response, "application/x-ndjson");
  for (const notice of early) write(notice);
  early = undefined;
  const beating = beat?.clock.every(beat.everyMs, () => void response.write("\n"));
  response.on("drain", () => tap.resume());
  response.on("close", () => {
    beating?.clear();
    tap.close();
  });
  return undefined;
}
