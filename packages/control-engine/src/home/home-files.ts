// The files through which a control plane is found, and by which it comes back at the same addresses.

import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What a running control plane says of itself in "control.json". */
export interface ControlFile {
  readonly pid: number;
  readonly apiSocket: string;
  /** "HOST:PORT". */
  readonly streamAddress: string;
  readonly joinAddress: string;
  readonly dashboardUrl: string;
  readonly trustDomain: string;
}

/** What a home remembers from one start to the next, in "mesh.json". */
export interface MeshMemory {
  readonly trustDomain?: string;
  readonly streamPort?: number;
  readonly dashboardPort?: number;
  readonly joinPort?: number;
}

/** Writes "control.json" (0600, atomically). */
export function writeControlFile(home: string, file: ControlFile): void {
  writeAtomically(join(home, "control.json"), file);
}

/** Removes "control.json". */
export function removeControlFile(home: string): void {
  rmSync(join(home, "control.json"), { force: true });
}

/** Reads "mesh.json"; a file that is missing or damaged says nothing. */
export function readMemory(home: string): MeshMemory {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(join(home, "mesh.json"), "utf8"));
  } catch {
    return {};
  }
  if (typeof value !== "object" || value === null) return {};
  return {
    ...("trustDomain" in value && typeof value.trustDomain === "string" ? { trustDomain: value.trustDomain } : {}),
    ...("streamPort" in value && isPort(value.streamPort) ? { streamPort: value.streamPort } : {}),
    ...("dashboardPort" in value && isPort(value.dashboardPort) ? { dashboardPort: value.dashboardPort } : {}),
    ...("joinPort" in value && isPort(value.joinPort) ? { joinPort: value.joinPort } : {}),
  };
}

/** Writes "mesh.json" (0600, atomically). */
export function writeMemory(home: string, memory: MeshMemory): void {
  writeAtomically(join(home, "mesh.json"), memory);
}

function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value < 65_536;
}

function writeAtomically(path: string, value: unknown): void {
  writeFileSync(`${path}.new`, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
