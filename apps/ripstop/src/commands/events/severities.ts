// Severities of events.

import type { MeshEvent } from "@ripstop/model";

/** From the lowest to the highest. */
export const severities: readonly MeshEvent["severity"][] = ["info", "warning", "critical"];
