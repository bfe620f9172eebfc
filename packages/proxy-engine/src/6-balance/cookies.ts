// The little of cookies that balancing needs (RFC 6265): to find one in a request, to set one in a response.

import type { HeaderList } from "@ripstop/http";

/** The value of the first cookie called `name`; undefined when there is none. */
export function cookieValue(headers: HeaderList, name: string): string | undefined {
  for (let at = headers.indexOf("cookie", 0); at >= 0; at = headers.indexOf("cookie", at + 1)) {
    for (const pair of headers.valueAt(at).split(";")) {
      const equals = pair.indexOf("=");
      if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim();
    }
  }
  return undefined;
}

/** A Set-Cookie value. `maxAgeS` 0 = as long as the client's session; `path` "" = "/". */
export function setCookie(name: string, value: string, { maxAgeS, path }: CookieTerms): string {
  const age = maxAgeS > 0 ? `; Max-Age=${maxAgeS}` : "";
  return `${name}=${value}; Path=${path === "" ? "/" : path}${age}; HttpOnly; SameSite=Lax`;
}

/** How long and where a cookie counts. */
export interface CookieTerms {
  readonly maxAgeS: number;
  readonly path: string;
}
