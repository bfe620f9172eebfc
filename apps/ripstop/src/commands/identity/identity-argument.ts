// How commands name an identity: the whole SPIFFE id, or NAMESPACE/SERVICE-ACCOUNT of this mesh.

import type { ApiFailure, ControlApi } from "@ripstop/agent-engine";
import { ok, type Result } from "@ripstop/core";

const SHORT = /^([a-z0-9][a-z0-9-]{0,62})\/([a-z0-9][a-z0-9-]{0,62})$/;

/** What --help says about the argument. */
export const IDENTITY_ARGUMENT = "a SPIFFE id, or NAMESPACE/SERVICE-ACCOUNT of this mesh";

/** The whole SPIFFE id; a short one gets the mesh's trust domain. */
export async function spiffeIdOf(text: string, api: ControlApi): Promise<Result<string, ApiFailure>> {
  const short = SHORT.exec(text);
  if (short === null) return ok(text);
  const info = await api.info();
  return info.ok ? ok(`spiffe://${info.value.trustDomain}/ns/${short[1] ?? ""}/sa/${short[2] ?? ""}`) : info;
}
