// The audit log of the whole mesh: each control plane records the calls that it got, in its own home.

import type { AuditEntry, AuditPage } from "@ripstop/model";

import type { MeshStreams } from "./mesh-streams.ts";
import { peerPaths } from "./peer-routes.ts";

/** The log of one control plane. */
export interface OwnAudit {
  /** The newest writes or refusals, newest first. */
  list(refused: boolean, limit: number): Promise<readonly AuditEntry[]>;
}

/** What to look for. */
export interface AuditQuestion {
  readonly refused: boolean;
  readonly limit: number;
}

/** The newest entries of all control planes that are there, newest first, and those that do not answer. */
export async function meshAudit(own: OwnAudit, mesh: MeshStreams, question: AuditQuestion): Promise<AuditPage> {
  const { refused, limit } = question;
  const { id } = mesh;
  if (id === undefined) return { entries: await own.list(refused, limit) };
  const [here, { answers, unknown }] = await Promise.all([
    own.list(refused, limit),
    mesh.ask<AuditPage>(peerPaths.audit(refused, limit), 0),
  ]);
  const all = [
    ...here.map((entry) => ({ ...entry, replica: id })),
    ...answers.flatMap(({ replica, answer }) => answer.entries.map((entry) => ({ ...entry, replica }))),
  ];
  const entries = all.toSorted((a, b) => b.timeMs - a.timeMs).slice(0, limit);
  return { entries, ...(unknown.length === 0 ? {} : { unknown }) };
}
