// Options that several commands share, and parsers of option values.

import { InvalidArgumentError, Option, type Command } from "commander";
import { parseDurationMs } from "@ripstop/core";
import { workerCount, workerCountHint } from "./worker-count.ts";
import type { KeyKind } from "@ripstop/identity/authority";
import type { OutputFormat } from "./output/format.ts";

/** What every command that talks to the mesh has. */
export interface HomeOption {
  readonly home?: string;
}

/** What commands with structured output have. */
export interface OutputOption {
  readonly output: OutputFormat;
}

/** Adds --home. */
export function withHome(command: Command): Command {
  return command.addOption(
    new Option("--home <dir>", "the mesh home").env("RIPSTOP_HOME").default(undefined, "~/.ripstop"),
  );
}

/** What commands that start a control plane take about its certificate authority. */
export interface AuthorityOptions {
  readonly svidTtl?: number;
  readonly caKey?: KeyKind;
  readonly rootLifetime?: number;
  readonly externalCa?: string;
}

const MIN_SVID_TTL_MS = 10_000;
const MAX_SVID_TTL_MS = 24 * 3_600_000;
const MIN_ROOT_LIFETIME_MS = 10_000;

/** Adds the options of the certificate authority. */
export function withAuthority(command: Command): Command {
  return command
    .option("--svid-ttl <duration>", "lifetime of certificates of workloads, 10s to 24h (default: 1h)", (text) =>
      durationBetween(text, MIN_SVID_TTL_MS, MAX_SVID_TTL_MS),
    )
    .addOption(
      // The kinds are written out: the authority's code is loaded by the control plane only.
      new Option("--ca-key <kind>", "kind of the keys of new root certificates").choices([
        "ec-p256",
        "ec-p384",
        "rsa-2048",
      ] satisfies readonly KeyKind[]),
    )
    .option("--root-lifetime <duration>", "lifetime of new root certificates (default: 87600h, ten years)", (text) =>
      durationBetween(text, MIN_ROOT_LIFETIME_MS, Infinity),
    )
    .option("--external-ca <dir>", "sign with an intermediate from elsewhere: tls.crt, tls.key and ca.crt, watched");
}

/** Adds -o. */
export function withOutput(command: Command, formats: readonly OutputFormat[] = ["table", "json", "yaml"]): Command {
  return command.addOption(new Option("-o, --output <format>", "output format").choices(formats).default("table"));
}

/** A duration option's value in milliseconds. */
export function durationOption(text: string): number {
  const parsed = parseDurationMs(text);
  if (!parsed.ok) throw new InvalidArgumentError(parsed.error);
  return parsed.value;
}

function durationBetween(text: string, minMs: number, maxMs: number): number {
  const value = durationOption(text);
  if (value < minMs || value > maxMs) {
    const range = maxMs === Infinity ? `at least ${minMs / 1000}s` : `from ${minMs / 1000}s to ${maxMs / 3_600_000}h`;
    throw new InvalidArgumentError(`give a duration ${range}.`);
  }
  return value;
}

/** A TCP port. */
export function portOption(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new InvalidArgumentError("a port is a number from 1 to 65535.");
  return port;
}

/** "auto" or a TCP port. */
export function portOrAutoOption(text: string): number | "auto" {
  return text === "auto" ? "auto" : portOption(text);
}

/** Collects "key=value" texts. */
export function labelOption(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError('a label has the form key=value, for example "version=v2".');
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}

/** An upstream as the user names it. */
export interface UpstreamOption {
  readonly host: string;
  /** 0: the service's only port. */
  readonly port: number;
}

/** Collects "HOST[:PORT]" texts. */
export function upstreamOption(text: string, before: readonly UpstreamOption[]): readonly UpstreamOption[] {
  const match = /^([A-Za-z0-9][A-Za-z0-9.-]{0,252})(?::([0-9]{1,5}))?$/.exec(text);
  if (match === null)
    throw new InvalidArgumentError(
      'an upstream has the form HOST or HOST:PORT, for example "stock" or "stock.shop:4000".',
    );
  const [, host = "", port] = match;
  return [...before, { host: host.toLowerCase(), port: port === undefined ? 0 : portOption(port) }];
}

/** A number of worker processes, or "auto". */
export function workersOption(text: string): number {
  const count = workerCount(text);
  if (count === undefined) throw new InvalidArgumentError(`give ${workerCountHint}.`);
  return count;
}

/** An integer ≥ 0. */
export function countOption(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0)
    throw new InvalidArgumentError("give a whole number that is not negative.");
  return value;
}
