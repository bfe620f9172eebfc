// Makes, lists and revokes API tokens; says who the caller is.

import type {
  AccessRoleName,
  AccessTokenRequest,
  AccessTokenView,
  CallerView,
  CreatedAccessTokenView,
} from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable } from "../../output/table.ts";

/** Options of every subcommand. */
export interface AccessOptions extends HomeOption, OutputOption {}

/** Options of `ripstop access token create`. */
export interface AccessTokenOptions extends AccessOptions {
  readonly role: AccessRoleName;
  readonly namespace?: readonly string[];
  readonly ttl: number;
}

/** Prints the token alone on stdout, and what it is for on stderr; the exit code. */
export async function createAccessToken(name: string, options: AccessTokenOptions): Promise<number> {
  const { role, namespace, ttl } = options;
  const request: AccessTokenRequest = {
    name,
    role,
    ttlMs: ttl,
    ...(namespace === undefined ? {} : { namespaces: namespace }),
  };
  const answer = await controlApi(options).call<CreatedAccessTokenView>("POST", "/v1/access/tokens", request);
  if (!answer.ok) return printFailure(answer.error);
  const { token, id, expiresMs, apiAddress } = answer.value;
  process.stdout.write(await formatOutput(options.output, answer.value, () => `${token}\n`));
  if (options.output === "table") {
    const where = apiAddress === "" ? "the API is not served over TLS: --api-address" : `for ${apiAddress}`;
    process.stderr.write(
      `token ${id}: ${describeGrant(answer.value)}, until ${new Date(expiresMs).toISOString()}; ${where}\n`,
    );
  }
  return exitCodes.done;
}

/** Prints the table; the exit code. */
export async function listAccessTokens(options: AccessOptions): Promise<number> {
  const answer = await controlApi(options).call<{ readonly tokens: readonly AccessTokenView[] }>(
    "GET",
    "/v1/access/tokens",
  );
  if (!answer.ok) return printFailure(answer.error);
  const { tokens } = answer.value;
  process.stdout.write(await formatOutput(options.output, tokens, () => tokenTable(tokens)));
  return exitCodes.done;
}

/** Revokes; the exit code. */
export async function revokeAccessToken(id: string, options: AccessOptions): Promise<number> {
  const path = `/v1/access/tokens/${encodeURIComponent(id)}`;
  const answer = await controlApi(options).call<AccessTokenView>("DELETE", path);
  if (!answer.ok) return printFailure(answer.error);
  const text = (): string => `token ${answer.value.id} (${answer.value.name}) is revoked\n`;
  process.stdout.write(await formatOutput(options.output, answer.value, text));
  return exitCodes.done;
}

/** Prints who the caller is; the exit code. */
export async function whoami(options: AccessOptions): Promise<number> {
  const answer = await controlApi(options).call<CallerView>("GET", "/v1/access/whoami");
  if (!answer.ok) return printFailure(answer.error);
  const { name, method, grants } = answer.value;
  const lines = [`${name} (${method})`, ...grants.map((grant) => `  ${describeGrant(grant)}`)];
  process.stdout.write(await formatOutput(options.output, answer.value, () => `${lines.join("\n")}\n`));
  return exitCodes.done;
}

function describeGrant({ role, namespaces }: CallerView["grants"][number]): string {
  return namespaces === undefined ? `${role} of the whole mesh` : `${role} of ${namespaces.join(", ")}`;
}

function tokenTable(tokens: readonly AccessTokenView[]): string {
  if (tokens.length === 0) return "no API tokens: make one with `ripstop access token create`\n";
  return formatTable(
    [
      { title: "id", cell: (token: AccessTokenView) => token.id },
      { title: "name", cell: (token) => token.name },
      { title: "role", cell: (token) => token.role },
      { title: "namespaces", cell: (token) => token.namespaces?.join(", ") ?? "(all)" },
      { title: "state", cell: (token) => token.state },
      { title: "expires", cell: (token) => new Date(token.expiresMs).toISOString() },
      { title: "made by", cell: (token) => token.createdBy },
    ],
    tokens,
  );
}
