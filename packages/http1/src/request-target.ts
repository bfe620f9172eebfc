// The four forms of a request target (RFC 9112 §3.2).

import type { ErrorKind } from "@ripstop/core";
import { canonicalAuthority, hasPort, type RequestHead } from "@ripstop/http";
import { http1Errors } from "./errors.ts";

const SLASH = 47;

/**
 * Fills method-dependent `scheme`, `authority` and `path` of `head` from `target`; authority stays "" in origin form.
 * Returns the error when the form does not fit the method.
 */
export function applyTarget(head: RequestHead, target: string): ErrorKind | undefined {
  if (head.method === "CONNECT") {
    const authority = canonicalAuthority(target);
    if (authority === undefined || !hasPort(authority)) return http1Errors.invalidTarget;
    head.authority = authority;
    head.path = "";
    return undefined;
  }
  if (target.charCodeAt(0) === SLASH) {
    head.path = target;
    return undefined;
  }
  if (target === "*") {
    if (head.method !== "OPTIONS") return http1Errors.invalidTarget;
    head.path = "*";
    return undefined;
  }
  return applyAbsoluteForm(head, target);
}

function applyAbsoluteForm(head: RequestHead, target: string): ErrorKind | undefined {
  const colon = target.indexOf("://");
  if (colon < 0) return http1Errors.invalidTarget;
  const scheme = target.substring(0, colon).toLowerCase();
  if (scheme !== "http" && scheme !== "https") return http1Errors.invalidTarget;
  const start = colon + 3;
  const end = authorityEnd(target, start);
  const authority = canonicalAuthority(target.substring(start, end));
  if (authority === undefined) return http1Errors.hostInvalid;
  head.scheme = scheme;
  head.authority = authority;
  if (end === target.length) head.path = head.method === "OPTIONS" ? "*" : "/";
  else head.path = target.charCodeAt(end) === SLASH ? target.substring(end) : `/${target.substring(end)}`;
  return undefined;
}

function authorityEnd(target: string, start: number): number {
  for (let at = start; at < target.length; at++) {
    const code = target.charCodeAt(at);
    if (code === SLASH || code === 63) return at;
  }
  return target.length;
}
