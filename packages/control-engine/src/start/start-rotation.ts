// Starts the rotation of the root of trust, and the watch over how long what vouches for the mesh is still good.

import { trustBundleType, type IdentityHealth } from "@ripstop/model";

import { isProcessAlive } from "../home/home-lock.ts";
import { AbsentWorkloads, type AbsentWorkload } from "../identity/absent-workloads.ts";
import { identityHealth } from "../identity/identity-health.ts";
import { IdentityWatch } from "../identity/identity-watch.ts";
import { RotationKeeper } from "../identity/rotation-keeper.ts";
import type { Ground } from "./ground.ts";
import type { MeshIdentity } from "./start-identity.ts";
import type { MeshModel } from "./start-model.ts";
import type { MeshStream } from "./start-stream.ts";

/** The rotation, and how the identity of the mesh is. */
export interface MeshRotation {
  readonly rotation: RotationKeeper;
  readonly watch: IdentityWatch;
  readonly health: () => IdentityHealth;
}

/** Goes on with a rotation that was under way. */
export function startRotation(
  ground: Ground,
  { authority, own, controlIdentity }: MeshIdentity,
  { registry, discovery }: Pick<MeshModel, "registry"> & Pick<MeshStream, "discovery">,
): MeshRotation {
  const { options, undo, trustDomain, events, store, leads } = ground;
  const { clock, metrics } = options;
  const { replication } = store;
  const absent = new AbsentWorkloads({ registry, table: store.table<AbsentWorkload>("absent"), clock, isProcessAlive });
  undo.push(() => absent.close());
  const rotation = new RotationKeeper({
    authority,
    registry,
    absent,
    events,
    clock,
    controlIdentity,
    ...(options.checkpoint === undefined ? {} : { checkpoint: options.checkpoint }),
    ownRootSha256: () => own.current.rootSha256,
    acknowledged(id) {
      const here = discovery.acknowledged(id, trustBundleType.typeUrl, trustDomain);
      if (here !== undefined || replication === undefined) return here;
      // Connected elsewhere: what its supervisor says of the bundle that its proxy uses has come with a heartbeat there.
      const owner = registry.get(id)?.replica;
      if (!replication.replicas.some((one) => one.id === owner && one.id !== replication.id)) return undefined;
      return registry.inForce(id)?.bundleSequence === authority.bundle().sequence;
    },
    leads,
    peers: () => (replication?.replicas ?? []).filter(({ id }) => id !== replication?.id),
  });
  undo.push(() => rotation.close());
  const health = (): IdentityHealth =>
    identityHealth({ authority, clock, workloads: registry.values(), rotation: rotation.status() });
  const holding = (): number => rotation.status().holding.length;
  const watch = new IdentityWatch({ clock, events, metrics, health, holding });
  undo.push(() => watch.close());
  return { rotation, watch, health };
}
