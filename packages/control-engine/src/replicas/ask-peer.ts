// One question to another control plane of the same mesh: over its join listener, by mutual TLS, each end known by the
// SPIFFE id that only control planes have.

import type { ClientRequest } from "node:http";
import { request } from "node:https";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { OwnIdentity } from "@ripstop/identity/authority";

import { parseAddress } from "../on-port.ts";

/** How to ask. */
export interface PeerQuestionsOptions {
  /** The SVID of this control plane. */
  readonly own: Pick<OwnIdentity, "current">;
  /** PEM of the roots that the other's SVID must lead to. */
  readonly rootsPem: () => string;
  /** SPIFFE id of every control plane of the mesh. */
  readonly controlIdentity: string;
  readonly clock: Clock;
}

/** Longest answer: some hundred bytes a proxy. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** It has not announced where it listens. */
export const NO_ADDRESS = "it does not say where its join listener is";
/** Nothing listens there: whoever did is gone, and its streams with it. */
export const NOTHING_LISTENS = "nothing listens at its address any more";

/**
 * The JSON answer to GET `path` at a join address ("HOST:PORT"), or a short sentence without full stop: why there is
 * none within `patienceMs`. `Answer` is what the route is documented to answer: both ends are of one mesh, and of one
 * version or neighbouring ones.
 */
export function askPeer<Answer>(
  options: PeerQuestionsOptions,
  to: { readonly address: string; readonly path: string },
  patienceMs: number,
): Promise<Result<Answer, string>> {
  const outgoing = requestToPeer(options, to);
  if (outgoing === undefined) return Promise.resolve(err(NO_ADDRESS));
  return new Promise((resolve) => {
    const deadline = options.clock.after(patienceMs, () => finish(err("it does not answer")));
    const finish = (answer: Result<Answer, string>): void => {
      deadline.clear();
      outgoing.destroy();
      resolve(answer);
    };
    outgoing.on("error", (cause) => finish(err(reasonOf(cause))));
    outgoing.on("response", (incoming) => {
      const chunks: Buffer[] = [];
      let size = 0;
      incoming.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) finish(err("its answer is too long"));
        else chunks.push(chunk);
      });
      incoming.on("error", (cause) => finish(err(`its answer broke off: ${cause.message}`)));
      incoming.on("end", () => {
        if (incoming.statusCode !== 200) return finish(err(refusalOf(incoming)));
        return finish(parse<Answer>(Buffer.concat(chunks).toString("utf8")));
      });
    });
    outgoing.end();
  });
}

/** GET `path` at a join address, not sent yet; undefined when that is no address. */
export function requestToPeer(
  { own, rootsPem, controlIdentity }: PeerQuestionsOptions,
  to: { readonly address: string; readonly path: string },
): ClientRequest | undefined {
  const parsed = parseAddress(to.address);
  if (parsed === undefined) return undefined;
  return request({
    ...parsed,
    path: to.path,
    agent: false,
    minVersion: "TLSv1.3",
    cert: own.current.chainPem,
    key: own.current.keyPem,
    ca: rootsPem(),
    // The name is a SPIFFE id, not a host.
    checkServerIdentity: (_, { subjectaltname }) =>
      subjectaltname === `URI:${controlIdentity}` ? undefined : new Error("it is not the control plane"),
  });
}

/** Why a request got no answer. */
export function reasonOf(cause: NodeJS.ErrnoException): string {
  return cause.code === "ECONNREFUSED" ? NOTHING_LISTENS : `it does not answer: ${cause.message}`;
}

/** Why an answer is none. */
export function refusalOf({ statusCode = 0 }: { readonly statusCode?: number | undefined }): string {
  return `it refuses to say, with status ${statusCode}; it may be of another version`;
}

function parse<Answer>(text: string): Result<Answer, string> {
  try {
    return ok(JSON.parse(text) as Answer);
  } catch {
    return err("its answer is no JSON");
  }
}
