// Fetches a SPIFFE bundle from its endpoint (SPIFFE Federation §5): over the Web PKI, or from a server that proves its
// SPIFFE id. Redirects are followed under the same rules; what is too large, too slow or not a bundle is refused.

import { X509Certificate } from "node:crypto";
import { request } from "node:https";
import type { PeerCertificate } from "node:tls";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { createPeerVerification, derToPem } from "@ripstop/identity";
import { MAX_BUNDLE_CHARACTERS, parseBundle, type SpiffeBundle } from "@ripstop/identity/jwt";

/** Where the bundle is, and how the server proves who it is. */
export type BundleSource =
  | { readonly profile: "https_web"; readonly url: string }
  | {
      readonly profile: "https_spiffe";
      readonly url: string;
      /** Who the server must be. */
      readonly spiffeId: string;
      /** The roots of that id's trust domain, DER. */
      readonly roots: readonly Uint8Array[];
    };

/** What was fetched. */
export interface FetchedBundle {
  readonly bundle: SpiffeBundle;
  readonly text: string;
}

const MAX_REDIRECTS = 3;
const TIMEOUT_MS = 10_000;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** The bundle, or a sentence that says why there is none. */
export async function fetchBundle(
  source: BundleSource,
  clock: Clock,
  signal: AbortSignal,
): Promise<Result<FetchedBundle, string>> {
  let { url } = source;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    // oxlint-disable-next-line no-await-in-loop -- one hop after the other
    const answer = await get({ ...source, url }, clock, signal);
    if (!answer.ok) return answer;
    if ("text" in answer.value) {
      const bundle = parseBundle(answer.value.text);
      return bundle.ok ? ok({ bundle: bundle.value, text: answer.value.text }) : bundle;
    }
    const next = safeUrl(answer.value.location, url);
    if (next === undefined) return err("the endpoint redirects to something that is no bundle endpoint");
    url = next;
  }
  return err(`the endpoint redirects more than ${MAX_REDIRECTS} times`);
}

type Answer = { readonly text: string } | { readonly location: string };

function get(source: BundleSource, clock: Clock, signal: AbortSignal): Promise<Result<Answer, string>> {
  return new Promise((resolve) => {
    let outgoing: ReturnType<typeof request>;
    try {
      outgoing = request(source.url, {
        method: "GET",
        agent: false,
        signal,
        headers: { accept: "application/json" },
        minVersion: "TLSv1.2",
        ...(source.profile === "https_web" ? {} : spiffeOptions(source, clock)),
      });
    } catch (error) {
      resolve(err(wordsOf(error)));
      return;
    }
    const timer = clock.after(TIMEOUT_MS, () => outgoing.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    const done = (result: Result<Answer, string>): void => {
      timer.clear();
      resolve(result);
    };
    outgoing.on("error", (error) => done(err(wordsOf(error))));
    outgoing.on("response", (incoming) => {
      const { statusCode = 0, headers } = incoming;
      if (REDIRECTS.has(statusCode) && headers.location !== undefined) {
        done(ok({ location: headers.location }));
        outgoing.destroy();
        return;
      }
      if (statusCode !== 200) {
        done(err(`the endpoint answers with status ${statusCode}`));
        outgoing.destroy();
        return;
      }
      const chunks: Buffer[] = [];
      let length = 0;
      incoming.on("data", (chunk: Buffer) => {
        length += chunk.length;
        if (length <= MAX_BUNDLE_CHARACTERS) chunks.push(chunk);
        else outgoing.destroy(new Error(`the bundle is longer than ${MAX_BUNDLE_CHARACTERS} bytes`));
      });
      incoming.on("error", (error) => done(err(wordsOf(error))));
      incoming.on("end", () => done(ok({ text: Buffer.concat(chunks).toString("utf8") })));
    });
    outgoing.end();
  });
}

/** The server's chain must end in these roots, and its leaf must name exactly this id. Host names do not matter. */
function spiffeOptions(
  { spiffeId, roots }: Extract<BundleSource, { profile: "https_spiffe" }>,
  clock: Clock,
): { readonly ca: string; checkServerIdentity(host: string, certificate: PeerCertificate): Error | undefined } {
  const verify = createPeerVerification(clock);
  return {
    ca: derToPem(roots),
    checkServerIdentity(_host, certificate) {
      const verdict = verify(new X509Certificate(certificate.raw));
      if (!verdict.ok) return new Error(verdict.message);
      return verdict.id === spiffeId ? undefined : new Error(`the endpoint is ${verdict.id}, not ${spiffeId}`);
    },
  };
}

/** A URL that a bundle endpoint may have, resolved against where it was found; undefined when it may not. */
function safeUrl(text: string, base: string): string | undefined {
  try {
    const url = new URL(text, base);
    return url.protocol === "https:" && url.username === "" && url.password === "" ? url.href : undefined;
  } catch {
    return undefined;
  }
}

function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  switch (code) {
    case "ECONNREFUSED":
      return "nothing listens at the endpoint's address";
    case "ENOTFOUND":
      return "the endpoint's name does not resolve";
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "SELF_SIGNED_CERT_IN_CHAIN":
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
    case "CERT_SIGNATURE_FAILURE":
      return `the endpoint's certificate is not signed by a trusted root (${code})`;
    case "CERT_HAS_EXPIRED":
      return "the endpoint's certificate has expired, or the clocks of the two hosts differ";
    default:
      return error.message;
  }
}
