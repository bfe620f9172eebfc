// Options by which a host joins the mesh over the network, and what they mean.

import { readFileSync } from "node:fs";

import { InvalidArgumentError, type Command } from "commander";
import {
  evidenceFrom,
  parseJoinAddress,
  ReplicatedJoinApi,
  tokenPins,
  type JoinAddress,
  type TrustAnchor,
} from "@ripstop/agent-engine";
import { err, ok, RipstopError, systemClock, type Result } from "@ripstop/core";
import type { JoinEvidence } from "@ripstop/model";
import { joinOptionsInvalid } from "./errors.ts";

/** How to join, and whom to trust. */
export interface JoinOption {
  /** At least one. */
  readonly join?: readonly JoinAddress[];
  readonly tokenFile?: string;
  readonly jwtFile?: string;
  readonly trustBundle?: string;
  readonly trustSha256?: readonly string[];
}

/** Adds --join and what belongs to it. */
export function withJoin(command: Command): Command {
  return command
    .option(
      "--join <host:port>",
      "join a control plane over the network, at its join address; of several control planes as many as you like, with commas or repeated: whichever answers will do",
      addressesOption,
    )
    .option("--token-file <file>", "proof for --join: a join token (`ripstop token create`)")
    .option("--jwt-file <file>", "proof for --join: a signed JWT of the platform, read anew at each use")
    .option("--trust-bundle <file>", "root certificates of the mesh, PEM (a join token names them itself)")
    .option("--trust-sha256 <hex>", "SHA-256 of a root certificate of the mesh; may be repeated", hashOption);
}

/** "HOST:PORT". */
function addressOption(text: string): JoinAddress {
  const address = parseJoinAddress(text);
  if (address === undefined)
    throw new InvalidArgumentError('an address has the form HOST:PORT, for example "10.0.0.5:7443".');
  return address;
}

function addressesOption(text: string, before: readonly JoinAddress[] = []): readonly JoinAddress[] {
  return [...before, ...text.split(",").map((one) => addressOption(one.trim()))];
}

function hashOption(text: string, before: readonly string[] = []): readonly string[] {
  const hash = text.replaceAll(":", "").toLowerCase();
  if (!/^[0-9a-f]{64}$/.test(hash)) throw new InvalidArgumentError("a SHA-256 has 64 hexadecimal digits.");
  return [...before, hash];
}

/** A client of the join listeners that the options name. */
export function joinApi(
  options: JoinOption,
  bundlePem?: string,
): Result<
  {
    readonly api: ReplicatedJoinApi;
    readonly evidence: (() => Result<JoinEvidence, string>) | undefined;
  },
  RipstopError
> {
  const { join: [address, ...others] = [], tokenFile, jwtFile } = options;
  if (address === undefined) return invalid("--join is missing");
  if (tokenFile !== undefined && jwtFile !== undefined) return invalid("give either --token-file or --jwt-file");
  const trust: Result<TrustAnchor, RipstopError> = bundlePem === undefined ? trustOf(options) : ok({ pem: bundlePem });
  if (!trust.ok) return trust;
  const evidence =
    tokenFile !== undefined
      ? () => evidenceFrom("token", tokenFile)
      : jwtFile !== undefined
        ? () => evidenceFrom("jwt", jwtFile)
        : undefined;
  return ok({
    api: new ReplicatedJoinApi({ address, others, trust: trust.value, clock: systemClock, evidence }),
    evidence,
  });
}

function trustOf({ tokenFile, trustBundle, trustSha256 }: JoinOption): Result<TrustAnchor, RipstopError> {
  if (trustBundle !== undefined) {
    try {
      return ok({ pem: readFileSync(trustBundle, "utf8") });
    } catch (error) {
      return invalid(error instanceof Error ? error.message : `${trustBundle} cannot be read`);
    }
  }
  if (trustSha256 !== undefined) return ok({ sha256: trustSha256 });
  if (tokenFile === undefined) return invalid("nothing says whom to trust: give --trust-bundle or --trust-sha256");
  const token = evidenceFrom("token", tokenFile);
  const pins = token.ok ? tokenPins(token.value.text) : token;
  return pins.ok ? ok({ sha256: pins.value }) : invalid(pins.error);
}

function invalid(message: string): Result<never, RipstopError> {
  return err(new RipstopError(joinOptionsInvalid, message));
}
