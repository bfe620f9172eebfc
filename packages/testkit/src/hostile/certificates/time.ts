// Times of certificates.

import { systemClock } from "@ripstop/core";
import type { Presented } from "../certificate-lab.ts";
import type { CertificateCase, HostileWorld } from "./certificate-case.ts";
import { leaf } from "./presented.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** Ripstop's authority starts certificates five minutes early; `skewMs` is how far its clock is ahead. */
function skewed(skewMs: number): (world: HostileWorld) => Presented {
  return (world) => {
    const nowMs = systemClock.nowMs() + skewMs;
    return leaf({ notBeforeMs: nowMs - 5 * MINUTE, notAfterMs: nowMs + HOUR })(world);
  };
}

/** Rows on time. */
export const time: readonly CertificateCase[] = [
  {
    group: "time",
    title: "an expired leaf",
    verdict: "expired",
    says: /expired/,
    make: (world) => leaf({ notBeforeMs: systemClock.nowMs() - HOUR, notAfterMs: systemClock.nowMs() - MINUTE })(world),
  },
  {
    group: "time",
    title: "issued by a clock that is almost 5 minutes ahead",
    verdict: "accepted",
    make: skewed(5 * MINUTE - 10_000),
  },
  {
    group: "time",
    title: "issued by a clock that is 5 minutes behind",
    verdict: "accepted",
    make: skewed(-5 * MINUTE),
  },
  {
    group: "time",
    title: "issued by a clock that is 1 hour ahead",
    verdict: "not_yet_valid",
    says: /clock/,
    make: skewed(HOUR),
  },
  {
    group: "time",
    title: "issued for 1 hour by a clock that is 2 hours behind",
    verdict: "expired",
    says: /clock/,
    make: skewed(-2 * HOUR),
  },
  {
    group: "time",
    title: "without end (the year 9999)",
    verdict: "accepted",
    make: leaf({ notAfterMs: Date.UTC(9999, 11, 31, 23, 59, 59) }),
  },
  {
    group: "time",
    title: "an end before its start",
    verdict: "expired",
    make: (world) => leaf({ notBeforeMs: systemClock.nowMs() - MINUTE, notAfterMs: systemClock.nowMs() - HOUR })(world),
  },
];
