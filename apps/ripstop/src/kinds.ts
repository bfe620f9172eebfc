// How commands name resources to the API; the control plane knows the kinds and their short names.

import type { ApiFailure, ControlApi } from "@ripstop/agent-engine";
import type { Result } from "@ripstop/core";
import type { Resource } from "@ripstop/resources";
import { ok } from "@ripstop/core";

/** Path of one resource. */
export function resourcePath(kind: string, namespace: string, name: string): string {
  return `/v1/resources/${encodeURIComponent(kind)}/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
}

/** Resources of a kind ("all" for every kind), of one namespace or of all (undefined). */
export async function listResources(
  api: ControlApi,
  kind: string,
  namespace: string | undefined,
): Promise<Result<readonly Resource[], ApiFailure>> {
  const query = new URLSearchParams();
  if (kind.toLowerCase() !== "all") query.set("kind", kind);
  if (namespace !== undefined) query.set("namespace", namespace);
  const answer = await api.call<{ readonly resources: readonly Resource[] }>(
    "GET",
    `/v1/resources?${query.toString()}`,
  );
  return answer.ok ? ok(answer.value.resources) : answer;
}
