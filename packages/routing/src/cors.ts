// Cross-origin requests (Gateway API HTTPCORSFilter; the CORS protocol of the Fetch standard).

import type { HeaderList } from "@ripstop/http";
import type { Cors } from "@ripstop/model";

/** A CORS filter ready to apply. */
export interface CorsPolicy {
  /** Whether the request asks for leave before the request proper (Fetch: CORS-preflight request). */
  isPreflight(method: string, headers: HeaderList): boolean;
  /** Whether pages of the request's Origin may have the response; false without an Origin. */
  allows(headers: HeaderList): boolean;
  /** Adds to `response` what the answer to an allowed preflight says. */
  answerPreflight(request: HeaderList, response: HeaderList): void;
  /** What the response says about `origin` (the request's Origin; "" for none); it replaces what the service says. */
  mark(origin: string, response: HeaderList): void;
}

const ORIGIN = "origin";
const REQUEST_METHOD = "access-control-request-method";
const REQUEST_HEADERS = "access-control-request-headers";
const ALLOW_ORIGIN = "access-control-allow-origin";
const ALLOW_CREDENTIALS = "access-control-allow-credentials";
const ALLOW_METHODS = "access-control-allow-methods";
const ALLOW_HEADERS = "access-control-allow-headers";
const EXPOSE_HEADERS = "access-control-expose-headers";
const MAX_AGE = "access-control-max-age";
const RESPONSE_FIELDS = [ALLOW_ORIGIN, ALLOW_CREDENTIALS, ALLOW_METHODS, ALLOW_HEADERS, EXPOSE_HEADERS, MAX_AGE];
/** A method or a list of field names as a request may say it. */
const NAMES = /^[A-Za-z0-9!#$%&'*+\-.^_`|~, ]{1,4096}$/;

/** Origins in lower case without the port that their scheme has anyway. */
function normalOrigin(origin: string): string {
  const text = origin.toLowerCase();
  if (text.startsWith("http://") && text.endsWith(":80")) return text.slice(0, -3);
  if (text.startsWith("https://") && text.endsWith(":443")) return text.slice(0, -4);
  return text;
}

/** An origin with "*" in the place of labels, or of the whole host. */
interface WildOrigin {
  readonly start: string;
  readonly end: string;
}

function matchesWild({ start, end }: WildOrigin, origin: string): boolean {
  if (origin.length <= start.length + end.length || !origin.startsWith(start) || !origin.endsWith(end)) return false;
  // "*" stands for labels of the host: never for a port, so that http://* is not http://a:8080.
  for (let at = start.length; at < origin.length - end.length; at++) {
    const code = origin.charCodeAt(at);
    if (code === 0x3a || code === 0x2f || code === 0x40) return false;
  }
  return true;
}

/** Makes a filter ready. */
export function compileCors(cors: Cors): CorsPolicy {
  const any = cors.allowOrigins.includes("*");
  const exact = new Set(cors.allowOrigins.filter((origin) => !origin.includes("*")).map(normalOrigin));
  const wild = cors.allowOrigins
    .filter((origin) => origin !== "*" && origin.includes("*"))
    .map((origin): WildOrigin => {
      const text = normalOrigin(origin);
      const star = text.indexOf("*");
      return { start: text.slice(0, star), end: text.slice(star + 1) };
    });
  const credentials = cors.allowCredentials;
  const exposed = cors.exposeHeaders.filter((name) => !(credentials && name === "*")).join(", ");

  const allowsOrigin = (origin: string): boolean => {
    if (origin === "") return false;
    if (any) return true;
    const text = normalOrigin(origin);
    return exact.has(text) || wild.some((pattern) => matchesWild(pattern, text));
  };
  /** Origin, credentials and exposed fields: the same for preflights and for what follows them. */
  const share = (origin: string, response: HeaderList): void => {
    response.append(ALLOW_ORIGIN, any && !credentials ? "*" : origin);
    if (credentials) response.append(ALLOW_CREDENTIALS, "true");
    if (exposed !== "") response.append(EXPOSE_HEADERS, exposed);
  };
  /** The listed names; with credentials "*" means nothing to browsers, so that what they ask for is said back. */
  const list = (names: readonly string[], asked: string | undefined): string => {
    if (!names.includes("*") || !credentials) return names.join(", ");
    return asked !== undefined && NAMES.test(asked) ? asked : "";
  };
  const vary = (response: HeaderList): void => {
    if (any && !credentials) return;
    const at = response.indexOf("vary", 0);
    if (at < 0) response.append("vary", "Origin");
    else if (!/(^|[,\s])(origin|\*)($|[,\s])/i.test(response.valueAt(at)))
      response.replaceAt(at, `${response.valueAt(at)}, Origin`);
  };

  return {
    isPreflight: (method, headers) =>
      method === "OPTIONS" && headers.indexOf(ORIGIN, 0) >= 0 && headers.indexOf(REQUEST_METHOD, 0) >= 0,
    allows: (headers) => allowsOrigin(headers.get(ORIGIN) ?? ""),
    answerPreflight(request, response) {
      share(request.get(ORIGIN) ?? "", response);
      const methods = list(cors.allowMethods, request.get(REQUEST_METHOD));
      if (methods !== "") response.append(ALLOW_METHODS, methods);
      const headers = list(cors.allowHeaders, request.get(REQUEST_HEADERS));
      if (headers !== "") response.append(ALLOW_HEADERS, headers);
      response.append(MAX_AGE, String(cors.maxAge));
      vary(response);
    },
    mark(origin, response) {
      for (const name of RESPONSE_FIELDS) response.remove(name);
      if (allowsOrigin(origin)) share(origin, response);
      vary(response);
    },
  };
}
