// The cases that docs/balancing.md shows.

import type { Scenario, ServerSpec } from "./simulation.ts";

/** A scenario with what it is about. */
export interface NamedScenario {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly scenario: Scenario;
}

const ten = (): ServerSpec[] => Array.from({ length: 10 }, () => ({}));

/** All of them. `seconds` of simulated time each; the tests take fewer. */
export function scenarios(seconds = 90): readonly NamedScenario[] {
  const third = Math.round(seconds / 3);
  return [
    {
      name: "slow",
      title: "One slow endpoint of ten",
      about:
        "Ten endpoints, each with enough workers that nobody queues; one takes 200 ms on average where the others take 10 ms. " +
        "Five callers send 1,000 requests a second in all.",
      scenario: {
        seed: 20_261,
        seconds,
        servers: ten().map((_, at) => ({ workers: 64, workMs: at === 0 ? 200 : 10 })),
        callers: [{ count: 5, rps: 1000 }],
      },
    },
    {
      name: "failing",
      title: "One failing endpoint of ten",
      about:
        "One of ten endpoints fails half of its requests, at once (2 ms), from the end of the first third to the end of the second. " +
        "Ejection is switched off to show what weights do alone. 2,000 requests a second, half of the capacity.",
      scenario: {
        seed: 20_262,
        seconds,
        servers: ten(),
        callers: [{ count: 5, rps: 2000 }],
        changes: [
          { atS: third, server: 0, to: { failShare: 0.5 } },
          { atS: 2 * third, server: 0, to: { failShare: 0 } },
        ],
      },
    },
    {
      name: "capacity",
      title: "A change of capacity",
      about:
        "Three of ten endpoints lose half of their workers for the middle third, as beside a noisy neighbour. " +
        "2,600 requests a second: 65 % of the capacity before, 76 % during the change. Servers report their load (ORCA).",
      scenario: {
        seed: 20_263,
        seconds,
        servers: ten(),
        callers: [{ count: 5, rps: 2600 }],
        reports: true,
        changes: [0, 1, 2].flatMap((server) => [
          { atS: third, server, to: { workers: 2 } },
          { atS: 2 * third, server, to: { workers: 4 } },
        ]),
      },
    },
    {
      name: "zones",
      title: "Three zones",
      about:
        "Four endpoints in each of three zones, 0.5 ms within a zone and 6 ms between two; half of the load comes from zone a. " +
        "In the middle third two of the endpoints of zone a are not ready. 2,400 requests a second. " +
        "All but round robin prefer their zone and overflow by health and reported load.",
      scenario: {
        seed: 20_264,
        seconds,
        servers: ["a", "b", "c"].flatMap((zone) => Array.from({ length: 4 }, () => ({ zone }))),
        callers: [
          { count: 4, zone: "a", rps: 1200 },
          { count: 4, zone: "b", rps: 600 },
          { count: 4, zone: "c", rps: 600 },
        ],
        wayMs: { near: 0.5, far: 6 },
        reports: true,
        locality: { maxInflight: 100, targetUtilization: 0.85 },
        changes: [0, 1].flatMap((server) => [
          { atS: third, server, to: { ready: false } },
          { atS: 2 * third, server, to: { ready: true } },
        ]),
      },
    },
  ];
}
