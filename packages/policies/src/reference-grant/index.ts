// ReferenceGrant (gateway.networking.k8s.io/v1): lets resources of other namespaces refer to some of this one.

import type { Kind, Resource } from "@ripstop/resources";
import { referenceGrantSchema } from "@ripstop/resources/gateway-api";

/** Spec of a ReferenceGrant. */
export interface ReferenceGrantSpec {
  readonly from: readonly { readonly group: string; readonly kind: string; readonly namespace: string }[];
  readonly to: readonly { readonly group: string; readonly kind: string; readonly name?: string }[];
}

/** Who refers, and to what in another namespace. */
export interface CrossReference {
  readonly from: { readonly group: string; readonly kind: string; readonly namespace: string };
  readonly to: { readonly group: string; readonly kind: string; readonly name: string };
}

/** The kind ReferenceGrant. */
export const kind: Kind<ReferenceGrantSpec> = {
  apiVersion: "gateway.networking.k8s.io/v1",
  otherVersions: ["gateway.networking.k8s.io/v1beta1"],
  kind: "ReferenceGrant",
  plural: "referencegrants",
  shortNames: ["refgrant"],
  namespaced: true,
  schema: referenceGrantSchema,
  validate: () => [],
};

/** Whether one of `grants`, which all live in the target's namespace, allows the reference. Entries are alternatives. */
export function isGranted({ from, to }: CrossReference, grants: readonly Resource<ReferenceGrantSpec>[]): boolean {
  return grants.some(
    ({ spec }) =>
      spec.from.some(
        ({ group, kind: fromKind, namespace }) =>
          group === from.group && fromKind === from.kind && namespace === from.namespace,
      ) &&
      spec.to.some(
        ({ group, kind: toKind, name }) =>
          group === to.group && toKind === to.kind && (name === undefined || name === "" || name === to.name),
      ),
  );
}
