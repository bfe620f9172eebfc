// All groups of cases.

import type { Case } from "../case.ts";
import { backendTls } from "./backend-tls.ts";
import { gateways } from "./gateways.ts";
import { grpc } from "./grpc.ts";
import { hosts } from "./hosts.ts";
import { httpFilters } from "./http-filters.ts";
import { httpMatching } from "./http-matching.ts";
import { httpRefs } from "./http-refs.ts";
import { listenerSets } from "./listener-sets.ts";
import { meshConnections } from "./mesh-connections.ts";
import { mesh } from "./mesh.ts";
import { streams } from "./streams.ts";

/** Every case, group by group. */
export const allCases: readonly Case[] = [
  gateways,
  listenerSets,
  hosts,
  httpMatching,
  httpRefs,
  httpFilters,
  grpc,
  streams,
  backendTls,
  mesh,
  meshConnections,
].flat();
