// Session persistence (Gateway API, GEP-1619): a cookie or header names the endpoint that answered first. Its value is
// "TOKEN.STARTED.USED" with times in seconds; the token tells nothing of the endpoint but which one it is.

import { createHash } from "node:crypto";
import type { HeaderList } from "@ripstop/http";
import { SessionPersistence_Type, type SessionPersistence } from "@ripstop/model";
import { cookieValue, setCookie } from "./cookies.ts";

/** A session as a request names it. */
export interface Session {
  readonly token: string;
  /** Unix time in seconds. */
  readonly startedS: number;
  readonly usedS: number;
}

const MAX_VALUE = 100;
const VALUE = /^([A-Za-z0-9_-]{16})\.([0-9]{1,12})\.([0-9]{1,12})$/;

/** What names an endpoint in the sessions of a scope: 16 characters that are the same in every proxy. */
export function sessionToken(scope: string, endpointId: string): string {
  return createHash("sha256").update(`ripstop session ${scope} ${endpointId}`).digest("base64url").slice(0, 16);
}

/** The session that a request names; undefined when it names none, or one that is over. */
export function readSession(persistence: SessionPersistence, headers: HeaderList, nowS: number): Session | undefined {
  const { type, name, absoluteTimeoutMs, idleTimeoutMs } = persistence;
  const value = type === SessionPersistence_Type.HEADER ? headers.get(name) : cookieValue(headers, name);
  if (value === undefined || value.length > MAX_VALUE) return undefined;
  const parts = VALUE.exec(value);
  if (parts === null) return undefined;
  const [, token = "", started, used] = parts;
  const session: Session = { token, startedS: Number(started), usedS: Number(used) };
  if (absoluteTimeoutMs > 0 && nowS - session.startedS > absoluteTimeoutMs / 1000) return undefined;
  if (idleTimeoutMs > 0 && nowS - session.usedS > idleTimeoutMs / 1000) return undefined;
  return session;
}

/** Names the session in a response. */
export function writeSession(persistence: SessionPersistence, headers: HeaderList, session: Session): void {
  const { type, name, permanent, absoluteTimeoutMs, path } = persistence;
  const value = `${session.token}.${session.startedS}.${session.usedS}`;
  if (type === SessionPersistence_Type.HEADER) {
    headers.set(name, value);
    return;
  }
  const leftS = Math.ceil(absoluteTimeoutMs / 1000) - (session.usedS - session.startedS);
  headers.append("set-cookie", setCookie(name, value, { maxAgeS: permanent ? Math.max(1, leftS) : 0, path }));
}
