// Runs cases against a target, a few at a time, each step until it holds or its patience is over.

import { differences, backendOf, generatedDifferences, shareDifferences, statusDifferences } from "./answer.ts";
import { needsOnlyTraffic, type Case, type Step } from "./case.ts";
import type { Target } from "./target.ts";

/** What a case is about. */
export interface CaseFacts {
  readonly name: string;
  readonly holds: string;
  readonly features: readonly string[];
  readonly rules: readonly number[];
  readonly tests: readonly string[];
}

/** What became of a case. */
export interface Outcome extends CaseFacts {
  readonly result: "passed" | "failed" | "unsupported" | "left out";
  /** Why it failed, is unsupported, or was left out. */
  readonly because: readonly string[];
}

/** How to run. */
export interface RunOptions {
  /** Only what needs an address; statuses and changes under way are left out. */
  readonly trafficOnly: boolean;
  /** Longest wait for one step to hold, ms. */
  readonly patienceMs: number;
  readonly atOnce: number;
  say(line: string): void;
}

/** What a case is about, without how it is shown. */
export function factsOf({ name, holds, features, rules = [], tests = [] }: Case): CaseFacts {
  return { name, holds, features, rules, tests };
}

const POLL_MS = 100;
/** Answers in a row that must be right: a proxy among several may lag. */
const IN_A_ROW = 3;
const SHARE_WITHIN = 5;
const SHARE_TRIES = 3;
const SHARE_AT_ONCE = 10;

/** The outcomes, in the order of the cases. */
export async function runCases(
  cases: readonly Case[],
  target: Target,
  options: RunOptions,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  let next = 0;
  const work = async (): Promise<void> => {
    for (;;) {
      const at = next++;
      const one = cases[at];
      if (one === undefined) return;
      const outcome = await runCase(one, target, options);
      outcomes[at] = outcome;
      options.say(`${outcome.result.padEnd(11)} ${one.name}: ${one.holds}`);
      for (const line of outcome.because) options.say(`            ${line}`);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, work));
  return outcomes;
}

async function runCase(one: Case, target: Target, options: RunOptions): Promise<Outcome> {
  const told = factsOf(one);
  if (one.unsupported !== undefined) return { ...told, result: "unsupported", because: [one.unsupported] };
  if (options.trafficOnly && !needsOnlyTraffic(one)) {
    return { ...told, result: "left out", because: ["needs statuses, changes, or more than one address"] };
  }
  try {
    const refused = one.resources === undefined ? undefined : await target.apply(one.resources);
    if (refused !== undefined) return { ...told, result: "failed", because: [`refused: ${refused.slice(0, 900)}`] };
    for (const [at, step] of one.steps.entries()) {
      if (options.trafficOnly && "status" in step) continue;
      const problems = await runStep(step, one, target, options.patienceMs);
      if (problems.length > 0)
        return { ...told, result: "failed", because: [`step ${at + 1} (${named(step)})`, ...problems] };
    }
    return { ...told, result: "passed", because: [] };
  } catch (error) {
    return {
      ...told,
      result: "failed",
      because: [error instanceof Error ? (error.stack ?? error.message) : String(error)],
    };
  }
}

async function runStep(step: Step, one: Case, target: Target, patienceMs: number): Promise<readonly string[]> {
  const host = `${one.name}.example`;
  if ("apply" in step) {
    const refused = await target.apply(step.apply);
    return refused === undefined ? [] : [`refused: ${refused.slice(0, 900)}`];
  }
  if ("remove" in step) {
    await target.remove(step.remove);
    return [];
  }
  if ("refused" in step) {
    const refused = await target.apply([step.refused]);
    if (refused === undefined) return ["was not refused"];
    return step.says.test(refused) ? [] : [`was refused with ${refused.slice(0, 900)}`];
  }
  if ("status" in step)
    return await patiently(patienceMs, 1, async () => statusDifferences(step, await target.get(step.status)));
  if ("generated" in step)
    return await patiently(patienceMs, 1, async () =>
      generatedDifferences(step, await target.generated(step.generated)),
    );
  if ("arrived" in step) {
    return await patiently(patienceMs, 1, () => {
      const times = target.printed(step.backend).split(` ${step.arrived}\n`).length - 1;
      const right = times >= step.times && times <= (step.atMost ?? Infinity);
      return Promise.resolve(right ? [] : [`${step.backend} got ${step.arrived} ${times} times`]);
    });
  }
  if ("share" in step) {
    let problems: readonly string[] = [];
    for (let attempt = 0; attempt < SHARE_TRIES; attempt++) {
      problems = shareDifferences(
        step.of,
        await shares(step.share, step.count, { target, host }),
        step.within ?? SHARE_WITHIN,
      );
      if (problems.length === 0) break;
    }
    return problems;
  }
  return await patiently(patienceMs, IN_A_ROW, async () => differences(step.expect, await target.ask(step.ask, host)));
}

/** Looks until nothing is wrong `inARow` times running; what was wrong last, when that does not come. */
async function patiently(
  patienceMs: number,
  inARow: number,
  look: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const until = performance.now() + patienceMs;
  for (let good = 0; ;) {
    const problems = await look();
    good = problems.length === 0 ? good + 1 : 0;
    if (good === inARow) return [];
    if (problems.length === 0) continue;
    if (performance.now() > until) return problems;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function shares(
  request: Extract<Step, { share: unknown }>["share"],
  count: number,
  { target, host }: { readonly target: Target; readonly host: string },
): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  let left = count;
  const work = async (): Promise<void> => {
    while (left-- > 0) {
      const backend = backendOf(await target.ask(request, host));
      counts.set(backend, (counts.get(backend) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: SHARE_AT_ONCE }, work));
  return counts;
}

function named(step: Step): string {
  const [kind = "", value] = Object.entries(step)[0] ?? [];
  return `${kind} ${JSON.stringify(value)}`.slice(0, 200);
}
