// The kind ExternalService. It compiles to a service of its own for each host that is called: see the control engine.

import type { Kind } from "@ripstop/resources";

import { externalServiceSchema, type ExternalServiceSpec } from "./schema.ts";
import { validateExternalService } from "./validate.ts";

export type { ExternalGateway, ExternalPort, ExternalServiceSpec } from "./schema.ts";

/** The kind ExternalService. */
export const kind: Kind<ExternalServiceSpec> = {
  apiVersion: "ripstop.mesh/v1alpha1",
  kind: "ExternalService",
  plural: "externalservices",
  shortNames: ["external", "egress"],
  namespaced: true,
  schema: externalServiceSchema,
  validate: validateExternalService,
};
