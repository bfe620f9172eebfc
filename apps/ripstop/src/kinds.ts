// How commands name resources to the API; the control plane knows the kinds and their short names.

import type { ApiFailure, ControlApi } from "@ripstop/agent-engine";
import type { Result } from "@ripstop/core";
import type { Resource } from "@ripstop/resources";
import { ok } from "@ripstop/core";

/** Path of one resource. */
export function resourcePath(kind: string, namespace: string, name: string): string {
  return `/v1/resources/${encodeURIComponent(kind)}/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
}

/** Which resources of a kind: of one namespace or of all (undefined), with what labels. */
export interface ResourceFilter {
  readonly namespace: string | undefined;
  readonly selector: string | undefined;
}

/** The query of a list or watch; "all" stands for every kind. */
export function resourceQuery(kind: string, { namespace, selector }: ResourceFilter): URLSearchParams {
  const query = new URLSearchParams();
  if (kind.toLowerCase() !== "all") query.set("kind", kind);
  if (namespace !== undefined) query.set("namespace", namespace);
  if (selector !== undefined) query.set("labelSelector", selector);
  return query;
}

const PAGE = 500;

/** Resources of a kind ("all" for every kind), read page by page. */
export async function listResources(
  api: ControlApi,
  kind: string,
  namespace: string | undefined,
  selector?: string,
): Promise<Result<readonly Resource[], ApiFailure>> {
  const query = resourceQuery(kind, { namespace, selector });
  query.set("limit", String(PAGE));
  const resources: Resource[] = [];
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const answer = await api.call<{ readonly resources: readonly Resource[]; readonly continue?: string }>(
      "GET",
      `/v1/resources?${query.toString()}`,
    );
    if (!answer.ok) return answer;
    resources.push(...answer.value.resources);
    if (answer.value.continue === undefined) return ok(resources);
    query.set("continue", answer.value.continue);
  }
}
