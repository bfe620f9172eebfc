// Session persistence as the Gateway API writes it (GEP-1619), for routes and for LoadBalancingPolicy.

import { createHash } from "node:crypto";

import { parseDurationMs } from "@ripstop/core";
import { SessionPersistence_Type, type SessionPersistence } from "@ripstop/model";
import type { JsonSchema, Violation } from "@ripstop/resources";

/** Requests of one session go to one endpoint while it is there. */
export interface SessionPersistenceSpec {
  /** Of the cookie or header. Default: one that is made of the place of the setting. */
  readonly sessionName?: string;
  readonly absoluteTimeout?: string;
  readonly idleTimeout?: string;
  /** Default Cookie. */
  readonly type?: "Cookie" | "Header";
  readonly cookieConfig?: { readonly lifetimeType?: "Session" | "Permanent" };
}

type Found = Pick<Violation, "path" | "message" | "remedy">;

const duration: JsonSchema = { type: "string", pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$" };
/** A name that can be that of a cookie and of a header (RFC 9110 token). */
const TOKEN = /^[A-Za-z0-9!#$%&'*+\-.^_`|~]+$/;
/** Header names that mean something else already. */
const TAKEN: ReadonlySet<string> = new Set([
  "authorization",
  "connection",
  "content-length",
  "content-type",
  "cookie",
  "host",
  "set-cookie",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Schema of SessionPersistence (Gateway API v1.6.1, experimental channel). */
export const sessionPersistenceSchema: JsonSchema = {
  type: "object",
  description: "Requests of one session go to one endpoint while it is there.",
  additionalProperties: false,
  properties: {
    sessionName: { type: "string", maxLength: 128, description: "Name of the cookie or header." },
    absoluteTimeout: { ...duration, description: "A session ends so long after its begin." },
    idleTimeout: { ...duration, description: "A session ends so long after its last request." },
    type: { type: "string", enum: ["Cookie", "Header"], default: "Cookie" },
    cookieConfig: {
      type: "object",
      additionalProperties: false,
      properties: {
        lifetimeType: {
          type: "string",
          enum: ["Session", "Permanent"],
          default: "Session",
          description: "Session: the client forgets the cookie when it ends. Permanent: after absoluteTimeout.",
        },
      },
    },
  },
};

/** What is wrong with a session persistence at `path`, beyond its schema. */
export function checkSessionPersistence(spec: SessionPersistenceSpec, path: string): Found[] {
  const found: Found[] = [];
  const { sessionName, type = "Cookie", cookieConfig, absoluteTimeout } = spec;
  if (sessionName !== undefined && !TOKEN.test(sessionName)) {
    found.push({
      path: `${path}.sessionName`,
      message: `"${sessionName}" cannot be the name of a ${type.toLowerCase()}`,
      remedy: "use letters, digits and -_. only",
    });
  }
  if (type === "Header" && sessionName !== undefined && TAKEN.has(sessionName.toLowerCase())) {
    found.push({
      path: `${path}.sessionName`,
      message: `the header ${sessionName} means something else already`,
      remedy: 'choose a name of your own, for example "x-session"',
    });
  }
  if (cookieConfig !== undefined && type === "Header") {
    found.push({
      path: `${path}.cookieConfig`,
      message: "sessions are named by a header, and have no cookie",
      remedy: "remove cookieConfig, or use type Cookie",
    });
  }
  if (type === "Cookie" && cookieConfig?.lifetimeType === "Permanent" && absoluteTimeout === undefined) {
    found.push({
      path: `${path}.absoluteTimeout`,
      message: "absoluteTimeout is missing: a permanent cookie needs to know how long",
      remedy: 'add absoluteTimeout, for example "24h"',
    });
  }
  return found;
}

/** The compiled form. Two places never share a session, even under one name: `place` is part of what sessions say. */
export function compileSessionPersistence(spec: SessionPersistenceSpec, place: string): SessionPersistence {
  const { sessionName, type = "Cookie", cookieConfig, absoluteTimeout, idleTimeout } = spec;
  const scope = createHash("sha256").update(place).digest("hex").slice(0, 8);
  const name = sessionName ?? `${type === "Header" ? "x-" : ""}ripstop-session-${scope}`;
  return {
    type: type === "Header" ? SessionPersistence_Type.HEADER : SessionPersistence_Type.COOKIE,
    name: type === "Header" ? name.toLowerCase() : name,
    absoluteTimeoutMs: durationMs(absoluteTimeout),
    idleTimeoutMs: durationMs(idleTimeout),
    permanent: cookieConfig?.lifetimeType === "Permanent",
    path: "/",
    scope,
  };
}

function durationMs(text: string | undefined): number {
  const parsed = parseDurationMs(text ?? "0s");
  return parsed.ok ? parsed.value : 0;
}
