// Every generator, in the order in which they run.

import { generateAnswerTypes } from "./answer-types.ts";
import { generateCli } from "./cli.ts";
import { generateConformance } from "./conformance.ts";
import { generateErrors } from "./errors.ts";
import type { Generated } from "./generated.ts";
import { generateGatewayDifferences } from "./gateway-differences.ts";
import { generateGatewaySchemas } from "./gateway-schemas.ts";
import { generateHostile } from "./hostile.ts";
import { generateHttpRules } from "./http-rules.ts";
import { generateMetrics } from "./metrics.ts";
import { generateOpenApi } from "./openapi.ts";
import { generatePolicies } from "./policies.ts";
import { generateProtos } from "./protos.ts";

/** Runs one generator. */
export type Generator = () => Generated | Promise<Generated>;

/** All of them by name. */
export const generators: Readonly<Record<string, Generator>> = {
  protos: generateProtos,
  "answer-types": generateAnswerTypes,
  "gateway-schemas": generateGatewaySchemas,
  policies: generatePolicies,
  "http-rules": generateHttpRules,
  conformance: generateConformance,
  "gateway-differences": generateGatewayDifferences,
  hostile: generateHostile,
  errors: generateErrors,
  metrics: generateMetrics,
  cli: generateCli,
  openapi: generateOpenApi,
};
