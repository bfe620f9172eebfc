// The API's routes for backups: a consistent copy of the store as a stream, and putting one back into a running mesh.

import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { BackupRequest, RestoreResponse } from "@ripstop/model";
import { label, resourceKey, type Resource } from "@ripstop/resources";

import { backupLines, readBackup, type Backup } from "../backup/backup-format.ts";
import { sealKeys } from "../backup/sealed-keys.ts";
import { backupRefused, bodyTooLarge } from "../errors.ts";
import type { Failure } from "../failure.ts";
import type { Revocations } from "../identity/revocations.ts";
import { tableNames, type Transaction } from "../store/store.ts";
import { diffEntry } from "./history-routes.ts";
import { authorOf, lostAgainst, planChecked, type CommitTarget } from "./commit-resources.ts";
import { answerJson, beginStream } from "./http-answer.ts";
import { readJson } from "./read-body.ts";
import { backupRequest } from "./request-schemas.ts";
import type { Call, Route } from "./router.ts";

/** What the routes need. */
export interface BackupRoutesOptions extends CommitTarget {
  readonly home: string;
  readonly clock: Clock;
  readonly trustDomain: string;
  readonly revocations: Revocations;
}

const MAX_REQUEST_BYTES = 4_096;
const MAX_BACKUP_BYTES = 512 * 1024 * 1024;

/** Routes for backups. */
export function backupRoutes(options: BackupRoutesOptions): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/v1/backup",
      async handler({ request, response, caller, facts }) {
        const body = await readJson<BackupRequest>(request, backupRequest, MAX_REQUEST_BYTES);
        if (!body.ok) return body.error;
        const { passphrase } = body.value;
        if (passphrase !== undefined && caller.method !== "socket") {
          return { kind: backupRefused, message: "keys are given out on the socket of the mesh home only" };
        }
        const backup = await takeBackup(options, passphrase);
        facts.reason = `backup of revision ${backup.header.revision}${passphrase === undefined ? "" : " with keys"}`;
        beginStream(response, "application/x-ndjson");
        for (const line of backupLines(backup)) {
          if (response.destroyed) return undefined;
          // oxlint-disable-next-line no-await-in-loop -- as fast as the reader takes it
          if (!response.write(line)) await Promise.race([once(response, "drain"), once(response, "close")]);
        }
        response.end();
        return undefined;
      },
    },
    {
      method: "POST",
      path: "/v1/restore",
      async handler(call) {
        const text = await readText(call.request);
        if (!text.ok) return text.error;
        const restored = await restore(text.value, call, options);
        if (!restored.ok) return restored.error;
        answerJson(call.response, 200, restored.value);
        return undefined;
      },
    },
  ];
}

/** Everything of one moment: what is read here is read without a pause, what is written out later does not change. */
async function takeBackup(
  { store, kinds, clock, trustDomain, home }: BackupRoutesOptions,
  passphrase: string | undefined,
): Promise<Backup> {
  const keys = passphrase === undefined ? undefined : await sealKeys(join(home, "authority"), passphrase);
  const { revision } = store;
  const resources = kinds.list().flatMap(({ kind }) => [...store.list(kind)]);
  // The shared authority has its keys in a table: keys are in a backup only when they are asked for.
  const tables = tableNames
    .filter((table) => table !== "authority")
    .flatMap((table) => [...store.table(table).entries()].map(([key, value]) => ({ table, key, value })));
  const kept = await store.readLog(0, revision);
  const log = kept.ok ? kept : await store.readLog(kept.error.oldest, revision);
  return {
    header: { format: "ripstop-backup", version: 1, trustDomain, revision, timeMs: clock.nowMs() },
    resources,
    log: log.ok ? log.value : [],
    tables,
    keys,
  };
}

/** Makes the resources of the backup the current ones, as a new revision; what was revoked then is revoked again. */
async function restore(
  text: string,
  { caller, query, facts }: Call,
  options: BackupRoutesOptions,
): Promise<Result<RestoreResponse, Failure>> {
  const { store, kinds, trustDomain, revocations } = options;
  const read = readBackup(text);
  if (!read.ok) return err({ kind: backupRefused, message: read.error });
  const { header, resources, tables } = read.value;
  if (header.trustDomain !== trustDomain) {
    return err({ kind: backupRefused, message: `it is of ${header.trustDomain}, this mesh is ${trustDomain}` });
  }
  const unfit = resources.map((resource) => problemOf(resource, options)).find((problem) => problem !== undefined);
  if (unfit !== undefined) return err({ kind: backupRefused, message: unfit });
  const wanted = new Set(resources.map(resourceKey));
  const now = kinds.list().flatMap(({ kind }) => [...store.list(kind)]);
  const dryRun = query.get("dryRun") === "true";
  const transaction: Transaction = {
    author: authorOf(caller, query.get("author") ?? ""),
    reason: query.get("reason") ?? `restore of the backup of revision ${header.revision}`,
    puts: resources,
    deletes: now.map(resourceKey).filter((key) => !wanted.has(key)),
  };
  facts.reason = dryRun ? "dry run" : transaction.reason;
  const planned = await planChecked(transaction, options);
  if (!planned.ok) return planned;
  const before = store.revision;
  const committed = dryRun ? planned : await store.commit(transaction);
  if (!committed.ok) return err(lostAgainst(committed.error));
  const { number, changes } = committed.value;
  let revoked = 0;
  for (const { table, value } of dryRun ? [] : tables) {
    if (table !== "revocations") continue;
    const { spiffeId, serialNumber, reason } = value as Readonly<Record<string, string>>;
    const target = spiffeId === undefined || spiffeId === "" ? { serialNumber: serialNumber ?? "" } : { spiffeId };
    if (revocations.find(spiffeId ?? "", serialNumber ?? "") !== undefined) continue;
    // oxlint-disable-next-line no-await-in-loop -- few, and in order
    if ((await revocations.add(target, reason ?? "")).ok) revoked++;
  }
  if (!dryRun && changes.length > 0) facts.revision = number;
  facts.resources = changes.map((change) => label(change.type === "put" ? change.resource : change.before));
  return ok({
    revision: dryRun ? 0 : number,
    from: before,
    revoked,
    changes: changes.map((change) => {
      const [key, after] =
        change.type === "put" ? [resourceKey(change.resource), change.resource] : [change.key, undefined];
      return diffEntry({ key, before: change.before, after }, kinds);
    }),
  });
}

/** Why a resource of a backup cannot be used by this version. */
function problemOf(resource: Resource, { kinds }: BackupRoutesOptions): string | undefined {
  const known = kinds.get(resource.kind);
  if (known === undefined) return `${label(resource)}: this version does not know the kind`;
  const [problem] = known.checker.check(structuredClone(resource.spec));
  return problem === undefined ? undefined : `${label(resource)}: ${problem.message}`;
}

async function readText(request: IncomingMessage): Promise<Result<string, Failure>> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > MAX_BACKUP_BYTES) {
        return err({ kind: bodyTooLarge, message: `a backup has at most ${MAX_BACKUP_BYTES} bytes` });
      }
      chunks.push(chunk);
    }
  } catch {
    return err({ kind: backupRefused, message: "the body ended early" });
  }
  return ok(Buffer.concat(chunks).toString("utf8"));
}
