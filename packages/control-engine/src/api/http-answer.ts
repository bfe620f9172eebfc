// How the API answers: JSON bodies, precise errors, and headers that keep browsers from misusing what they get.

import type { ServerResponse } from "node:http";

import type { ApiError } from "@ripstop/model";

import type { Failure } from "../failure.ts";

const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
};

/** Answers with JSON. */
export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  answer(response, status, { type: "application/json", body: JSON.stringify(body) });
}

/** Answers with an ApiError. */
export function answerFailure(response: ServerResponse, { kind, message, violations }: Failure): void {
  const error: ApiError["error"] = {
    code: kind.code,
    title: kind.title,
    message,
    remedy: kind.remedy,
    ...(violations === undefined ? {} : { violations }),
  };
  answerJson(response, kind.status, { error } satisfies ApiError);
}

/** Answers with bytes or text of a type; `maxAgeS` lets the client keep it (default: it may not). */
export function answer(
  response: ServerResponse,
  status: number,
  content: { readonly type: string; readonly body: string | Uint8Array; readonly maxAgeS?: number },
): void {
  if (response.headersSent || response.destroyed) return;
  const { type, body, maxAgeS } = content;
  response.writeHead(status, {
    ...SECURITY_HEADERS,
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": maxAgeS === undefined ? "no-store" : `private, max-age=${maxAgeS}`,
  });
  response.end(body);
}

/** Begins an answer of unknown length. */
export function beginStream(response: ServerResponse, type: string): void {
  response.writeHead(200, { ...SECURITY_HEADERS, "content-type": type, "cache-control": "no-store" });
  response.flushHeaders();
}
