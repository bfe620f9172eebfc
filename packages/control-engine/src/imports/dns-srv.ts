// Imports instances from SRV records (RFC 2782): priority is a tier, weight a weight, the addresses are those of the target.

import { getServers } from "node:dns";
import { setMaxListeners } from "node:events";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { parseNameServer, type DnsSrvSpec } from "@ripstop/resources";
import type { SrvAnswer } from "dns-packet";

import { plainName, queryDns, type DnsAnswer, type DnsContext } from "../dns/dns-query.ts";
import { bounded, type ImportAnswer, type ImportedInstance, type ImportSource } from "./import-source.ts";

const MIN_TTL_S = 5;
const MAX_TTL_S = 300;
/** Each has two questions of its own when the server sends no addresses along. */
const MAX_TARGETS = 256;
/** Targets whose addresses are asked for at the same time. */
const AT_ONCE = 16;
const MAX_ADDRESSES = 64;
const MAX_WEIGHT = 1_000_000;
/** RFC 2782: beside others, a target of weight 0 gets very little. */
const ZERO_WEIGHT_SCALE = 100;

type Srv = SrvAnswer["data"];

/** A source of the instances that SRV records name. */
export class DnsSrvSource implements ImportSource {
  readonly #spec: DnsSrvSpec;
  readonly #clock: Clock;
  /** Target → addresses of the last answer, for when only its own question fails. */
  #known: ReadonlyMap<string, readonly string[]> = new Map();

  constructor(spec: DnsSrvSpec, clock: Clock) {
    this.#spec = spec;
    this.#clock = clock;
  }

  async ask(signal: AbortSignal): Promise<Result<ImportAnswer, string>> {
    // Each of the questions that are under way listens.
    setMaxListeners(0, signal);
    const servers = (this.#spec.nameServers ?? getServers()).flatMap((text) => parseNameServer(text) ?? []);
    const context: DnsContext = { clock: this.#clock, servers, signal };
    const found = await queryDns({ name: this.#spec.name, type: "SRV" }, context);
    if (!found.ok) return err(`the SRV records of ${this.#spec.name} are not known: ${found.error}`);
    const records = found.value.answers.flatMap((one) => (one.type === "SRV" ? [one.data] : []));
    // "." says that the service is decidedly not there.
    const targets = records.filter(({ target }) => plainName(target) !== "");
    const wanted = new Map(targets.slice(0, MAX_TARGETS).map((one) => [plainName(one.target), one]));
    let ttlS = found.value.ttlS;
    const known = new Map<string, readonly string[]>();
    const unknown: string[] = [];
    const look = async (target: string): Promise<void> => {
      const sent = addressesIn(found.value, target);
      const addresses = sent.addresses.length > 0 ? sent : await lookUp(target, context);
      if (addresses !== undefined) {
        known.set(target, addresses.addresses);
        ttlS = Math.min(ttlS, addresses.ttlS);
        return;
      }
      const before = this.#known.get(target);
      if (before === undefined) unknown.push(target);
      else known.set(target, before);
      ttlS = 0;
    };
    const left = [...wanted.keys()];
    while (left.length > 0 && !signal.aborted) {
      // oxlint-disable-next-line no-await-in-loop -- a few at a time: nobody's name server is flooded
      await Promise.all(left.splice(0, AT_ONCE).map(look));
    }
    if (signal.aborted) return err("the question was given up");
    this.#known = known;
    const { instances, note } = bounded(instancesOf(targets.slice(0, MAX_TARGETS), known));
    const notes = [
      note,
      targets.length > MAX_TARGETS ? `${targets.length - MAX_TARGETS} more targets are left out` : "",
      unknown.length > 0 ? `the addresses of ${unknown.sort().slice(0, 3).join(", ")} are not known` : "",
    ];
    const againMs = Math.min(MAX_TTL_S, Math.max(MIN_TTL_S, ttlS)) * 1_000;
    return ok({ instances, note: notes.filter((one) => one !== "").join("; "), againMs });
  }
}

interface Addresses {
  readonly addresses: readonly string[];
  readonly ttlS: number;
}

function addressesIn({ additionals }: DnsAnswer, target: string): Addresses {
  const found = additionals.filter(({ type, name }) => (type === "A" || type === "AAAA") && plainName(name) === target);
  return addressesOf(found);
}

function addressesOf(records: DnsAnswer["answers"]): Addresses {
  const addresses = new Set<string>();
  let ttlS = Infinity;
  for (const one of records) {
    if (one.type !== "A" && one.type !== "AAAA") continue;
    if (addresses.size < MAX_ADDRESSES) addresses.add(one.data);
    ttlS = Math.min(ttlS, one.ttl ?? 0);
  }
  return { addresses: [...addresses], ttlS };
}

/** Both families; undefined when neither question was answered. One that is answered with nothing says that there is none. */
async function lookUp(target: string, context: DnsContext): Promise<Addresses | undefined> {
  const both = await Promise.all((["A", "AAAA"] as const).map((type) => queryDns({ name: target, type }, context)));
  const answers = both.flatMap((one) => (one.ok ? [one.value] : []));
  const found = addressesOf(answers.flatMap((one) => one.answers));
  if (found.addresses.length > 0) return found;
  return answers.length < both.length
    ? undefined
    : { addresses: [], ttlS: Math.min(...answers.map((one) => one.ttlS)) };
}

function instancesOf(records: readonly Srv[], addresses: ReadonlyMap<string, readonly string[]>): ImportedInstance[] {
  const weights = new Map<number, number[]>();
  for (const { priority = 0, weight = 0 } of records) weights.set(priority, [...(weights.get(priority) ?? []), weight]);
  return records.flatMap(({ target, port, priority = 0, weight = 0 }) => {
    const share = shareOf(weight, weights.get(priority) ?? []);
    return (addresses.get(plainName(target)) ?? []).map((host) => ({
      host,
      port,
      priority,
      weight: share,
      labels: {},
    }));
  });
}

function shareOf(weight: number, all: readonly number[]): number {
  if (!all.includes(0)) return weight;
  if (weight === 0) return 1;
  return Math.min(MAX_WEIGHT, weight * ZERO_WEIGHT_SCALE);
}
