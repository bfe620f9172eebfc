// How far OPTIONS and TRACE may still go (RFC 9110 §7.6.2).

import type { HeaderList } from "@ripstop/http";

/** Takes one off Max-Forwards. False when nothing is left: the proxy is the last recipient and answers itself. */
export function spendForward(headers: HeaderList): boolean {
  const value = headers.get("max-forwards");
  // A value that is no number says nothing (RFC 9110 §7.6.2 does not define one); more digits than these never run out.
  if (value === undefined || !/^[0-9]{1,9}$/.test(value)) return true;
  const left = Number(value);
  if (left === 0) return false;
  headers.set("max-forwards", String(left - 1));
  return true;
}
