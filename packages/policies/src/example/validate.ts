// What the schema of Example cannot say.

import type { Resource, Violation } from "@ripstop/resources";

import type { ExampleSpec } from "./schema.ts";

/** Fields that frame a message: codecs take them out before policies see the headers. */
const FRAMING: ReadonlySet<string> = new Set(["connection", "content-length", "host", "transfer-encoding", "upgrade"]);

/** Every violation of the rules beyond the schema. */
export function validateExample({ spec }: Resource<ExampleSpec>): Pick<Violation, "path" | "message" | "remedy">[] {
  if (!FRAMING.has(spec.header.toLowerCase())) return [];
  return [
    {
      path: "spec.header",
      message: `"${spec.header}" belongs to the connection and never reaches a policy`,
      remedy: "name a field that the caller sets",
    },
  ];
}
