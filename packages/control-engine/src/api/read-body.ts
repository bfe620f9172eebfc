// Reads and checks request bodies, bounded.

import type { IncomingMessage } from "node:http";

import { err, ok, type Result } from "@ripstop/core";
import { formatPath, type SchemaChecker } from "@ripstop/resources";

import { badRequest, bodyTooLarge } from "../errors.ts";
import type { Failure } from "../failure.ts";

/** The JSON body of a request, checked against a schema (which fills in defaults). At most `maxBytes` are read. */
export async function readJson<T>(
  request: IncomingMessage,
  checker: SchemaChecker,
  maxBytes: number,
): Promise<Result<T, Failure>> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    // The request is not destroyed with what is left of it: its sender could not read the answer then.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > maxBytes) return err({ kind: bodyTooLarge, message: `at most ${maxBytes} bytes are taken here` });
      chunks.push(chunk);
    }
  } catch {
    return err({ kind: badRequest, message: "the body ended early" });
  }
  let value: unknown;
  try {
    value = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    return err({ kind: badRequest, message: `the body is not JSON: ${error instanceof Error ? error.message : ""}` });
  }
  const problems = checker.check(value);
  if (problems.length > 0) {
    const violations = problems.map(({ path, message, remedy }) => ({
      path: formatPath(path),
      message,
      remedy,
      resource: "",
    }));
    return err({ kind: badRequest, message: `the body has ${problems.length} violation(s)`, violations });
  }
  return ok(value as T);
}
