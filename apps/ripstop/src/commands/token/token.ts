// Makes, lists and revokes join tokens.

import type { CreatedJoinTokenView, JoinTokenRequest, JoinTokenView } from "@ripstop/model";
import { controlApi } from "../../api.ts";
import { joinOptionsInvalid } from "../../errors.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { HomeOption, OutputOption } from "../../options.ts";
import { printError, printFailure } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable } from "../../output/table.ts";

/** Options of every subcommand. */
export interface TokenOptions extends HomeOption, OutputOption {}

/** Options of `ripstop token create`. */
export interface TokenCreateOptions extends TokenOptions {
  readonly namespace: string;
  readonly serviceAccount?: string;
  readonly node?: string;
  readonly ttl: number;
}

/** Prints the token alone on stdout, and what it is for on stderr; the exit code. */
export async function createToken(options: TokenCreateOptions): Promise<number> {
  const { namespace, serviceAccount, node, ttl } = options;
  if ((serviceAccount === undefined) === (node === undefined)) {
    printError(joinOptionsInvalid, "give either --service-account or --node");
    return exitCodes.usage;
  }
  const request: JoinTokenRequest = {
    ttlMs: ttl,
    ...(node === undefined ? { namespace, ...(serviceAccount === undefined ? {} : { serviceAccount }) } : { node }),
  };
  const answer = await controlApi(options).call<CreatedJoinTokenView>("POST", "/v1/join/tokens", request);
  if (!answer.ok) return printFailure(answer.error);
  const { token, id, spiffeId, expiresMs, joinAddress } = answer.value;
  process.stdout.write(await formatOutput(options.output, answer.value, () => `${token}\n`));
  if (options.output === "table") {
    process.stderr.write(
      `token ${id} for ${spiffeId}, once, until ${new Date(expiresMs).toISOString()}; join at ${joinAddress}\n`,
    );
  }
  return exitCodes.done;
}

/** Prints the table; the exit code. */
export async function listTokens(options: TokenOptions): Promise<number> {
  const answer = await controlApi(options).call<{ readonly tokens: readonly JoinTokenView[] }>(
    "GET",
    "/v1/join/tokens",
  );
  if (!answer.ok) return printFailure(answer.error);
  const { tokens } = answer.value;
  process.stdout.write(await formatOutput(options.output, tokens, () => tokenTable(tokens)));
  return exitCodes.done;
}

/** Revokes; the exit code. */
export async function revokeToken(id: string, options: TokenOptions): Promise<number> {
  const path = `/v1/join/tokens/${encodeURIComponent(id)}`;
  const answer = await controlApi(options).call<JoinTokenView>("DELETE", path);
  if (!answer.ok) return printFailure(answer.error);
  const text = (): string => `token ${answer.value.id} for ${answer.value.spiffeId} is revoked\n`;
  process.stdout.write(await formatOutput(options.output, answer.value, text));
  return exitCodes.done;
}

function tokenTable(tokens: readonly JoinTokenView[]): string {
  if (tokens.length === 0) return "no join tokens: make one with `ripstop token create`\n";
  const time = (ms: number): string => (ms === 0 ? "-" : new Date(ms).toISOString());
  return formatTable(
    [
      { title: "id", cell: (token: JoinTokenView) => token.id },
      { title: "identity", cell: (token) => token.spiffeId },
      { title: "state", cell: (token) => token.state },
      { title: "created", cell: (token) => time(token.createdMs) },
      { title: "expires", cell: (token) => time(token.expiresMs) },
      { title: "used", cell: (token) => time(token.usedMs) },
    ],
    tokens,
  );
}
