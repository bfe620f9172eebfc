// Lets joiners in: the checks that are the same for every proof, and what is counted, logged and told of a refusal.

import { createHash } from "node:crypto";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import { CLOCK_TOLERANCE_MS } from "@ripstop/identity";
import { checkCsrAhead } from "@ripstop/identity/authority";
import type { JoinEvidence } from "@ripstop/model";
import { RESERVED_NAMESPACE } from "@ripstop/resources";
import { metricNames, type MetricRegistry } from "@ripstop/telemetry";

import { clockSkew, csrRefused, identityReserved, joinLimited, platformTokenRefused } from "../errors.ts";
import type { EventLog } from "../events/event-log.ts";
import type { Failure } from "../failure.ts";
import { describeWanted, type Attested, type Attestor, type Wanted } from "./attestor.ts";
import { JoinLimits } from "./join-limits.ts";

/** Settings of an Admission. */
export interface AdmissionOptions {
  readonly clock: Clock;
  readonly attestors: readonly Attestor[];
  readonly metrics: MetricRegistry;
  readonly events: EventLog;
}

/** Somebody wants to join. */
export interface Joiner {
  /** Remote address, for limits and events. */
  readonly address: string;
  readonly evidence: JoinEvidence;
  readonly timeMs: number;
  readonly wanted: Wanted;
  readonly spiffeId: string;
  readonly csrPem: string;
}

/** Somebody may join. */
export interface Admitted extends Attested {
  /** SHA-256 of the key (SPKI) in the CSR, hex. */
  readonly keySha256: string;
}

/** Checks joiners. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #limits: JoinLimits;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#limits = new JoinLimits(options.clock);
  }

  /** Whether an address may try at all; counts the attempt. */
  limit(address: string): Failure | undefined {
    if (this.#limits.admit(address)) return undefined;
    const failure: Failure = { kind: joinLimited, message: `from ${address}` };
    this.#count(failure);
    return failure;
  }

  /** Checks time, name, CSR and proof, in this order, so that a token is used up by a sound request only. */
  async admit(joiner: Joiner): Promise<Result<Admitted, Failure>> {
    const admitted = await this.#check(joiner);
    if (!admitted.ok) this.refused(joiner.address, describeWanted(joiner.wanted), admitted.error);
    return admitted;
  }

  /** Somebody has joined. */
  joined({ wanted, spiffeId, address }: Joiner, method: string): void {
    const { metrics, events } = this.#options;
    const { name, help } = metricNames.IDENTITY_JOINS;
    metrics.counter(name, help, { kind: wanted.kind, proof: method.split(" ")[0] ?? "" }).add(1);
    events.add({
      severity: "info",
      type: wanted.kind === "node" ? "NodeJoined" : "WorkloadJoined",
      subject: spiffeId,
      message: `${describeWanted(wanted)} joined from ${address} by ${method}.`,
    });
  }

  /** Counts and tells a refusal, and lets it weigh on the address. */
  refused(address: string, subject: string, failure: Failure): void {
    this.#limits.refused(address);
    this.#count(failure);
    const { title, remedy, code } = failure.kind;
    this.#options.events.addLimited({
      severity: "warning",
      type: "JoinRefused",
      subject,
      message: `From ${address}: ${title} (${code}): ${failure.message}. ${remedy}.`,
    });
  }

  #count({ kind }: Failure): void {
    const { name, help } = metricNames.IDENTITY_JOINS_REFUSED;
    this.#options.metrics.counter(name, help, { reason: kind.name }).add(1);
  }

  async #check({ evidence, timeMs, wanted, spiffeId, csrPem }: Joiner): Promise<Result<Admitted, Failure>> {
    const offMs = timeMs - this.#options.clock.nowMs();
    if (Math.abs(offMs) > CLOCK_TOLERANCE_MS) {
      const minutes = Math.round(Math.abs(offMs) / 60_000);
      return err({
        kind: clockSkew,
        message: `the host's clock is ${minutes} min ${offMs < 0 ? "behind" : "ahead"}; up to ${CLOCK_TOLERANCE_MS / 60_000} min are tolerated`,
      });
    }
    if (wanted.kind === "workload" && wanted.namespace === RESERVED_NAMESPACE) {
      return err({ kind: identityReserved, message: describeWanted(wanted) });
    }
    const key = await checkCsrAhead(csrPem, spiffeId);
    if (!key.ok) return err({ kind: csrRefused, message: `${key.error.code}: ${key.error.message}` });
    const keySha256 = createHash("sha256").update(key.value).digest("hex");
    const attestor = this.#options.attestors.find(({ type }) => type === evidence.type);
    if (attestor === undefined) {
      return err({ kind: platformTokenRefused, message: `proofs of the type ${evidence.type} are not taken` });
    }
    const attested = await attestor.attest(evidence.text, wanted, keySha256);
    return attested.ok ? ok({ ...attested.value, keySha256 }) : attested;
  }
}
