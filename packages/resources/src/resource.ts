// The shape that every resource has, on Kubernetes and off it.

/** apiVersion / kind / metadata / spec / status. */
export interface Resource<Spec = unknown, Status = unknown> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec: Spec;
  readonly status?: Status;
}

/** The part of Kubernetes' ObjectMeta that Ripstop keeps. */
export interface Metadata {
  readonly name: string;
  /** "" for kinds without namespace. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Set by the store: identity of this object across renames of its content. */
  readonly uid: string;
  /** Set by the store: grows by one with every change of the spec. */
  readonly generation: number;
  /** Set by the store: the revision of the last write, for optimistic concurrency. */
  readonly resourceVersion: string;
  /** Set by the store: RFC 3339. */
  readonly creationTimestamp: string;
}

/** "NAMESPACE/NAME", or "NAME" for a kind without namespace. */
export function resourceName(resource: Resource): string {
  const { namespace, name } = resource.metadata;
  return namespace === "" ? name : `${namespace}/${name}`;
}

/** "KIND/NAMESPACE/NAME": unique in a store. Kind names are unique across groups in Ripstop. */
export function resourceKey(resource: Resource): string {
  return `${resource.kind}/${resourceName(resource)}`;
}
