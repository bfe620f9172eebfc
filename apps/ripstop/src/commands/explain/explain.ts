// Reads a kind's schema for people. It needs no control plane: the schemas are those of this program.

import { allKinds } from "@ripstop/control-engine/kinds";
import {
  closest,
  controlPlaneConfigKind,
  isRecord,
  KindRegistry,
  type JsonSchema,
  type Kind,
} from "@ripstop/resources";
import { nothingToExplain } from "../../errors.ts";
import { exitCodes } from "../../exit-codes.ts";
import type { OutputOption } from "../../options.ts";
import { printError } from "../../output/failure.ts";
import { formatOutput } from "../../output/format.ts";
import { formatTable } from "../../output/table.ts";

/** One field, as `-o json` prints it. */
interface Explained {
  /** "HTTPRoute.spec.rules". */
  readonly path: string;
  readonly type: string;
  readonly description: string;
  readonly required: boolean;
  readonly default?: unknown;
  readonly allowed?: string;
  readonly fields: readonly Explained[];
}

/** Prints; the exit code. */
export async function explain(path: string | undefined, { output }: OutputOption): Promise<number> {
  const kinds = new KindRegistry([...allKinds, controlPlaneConfigKind]);
  if (path === undefined) {
    const rows = kinds.list();
    const shown = rows.map(({ apiVersion, kind, plural, namespaced }) => ({ apiVersion, kind, plural, namespaced }));
    process.stdout.write(await formatOutput(output, shown, () => kindTable(rows)));
    return exitCodes.done;
  }
  const [kindName = "", ...steps] = path.split(".");
  const known = kinds.find(kindName);
  if (known === undefined) {
    const near = kinds.closest(kindName);
    printError(nothingToExplain, `there is no kind ${kindName}${near === undefined ? "" : `; did you mean ${near}?`}`);
    return exitCodes.failed;
  }
  const found = explainField(known.kind, steps);
  if (typeof found === "string") {
    printError(nothingToExplain, found);
    return exitCodes.failed;
  }
  process.stdout.write(await formatOutput(output, found, () => fieldText(known.kind, found)));
  return exitCodes.done;
}

/** The field that the steps lead to, lists passed through; a sentence when there is none. */
export function explainField(kind: Kind, steps: readonly string[]): Explained | string {
  // A path may begin at the resource or at its spec.
  const inSpec = steps[0] === "spec" ? steps.slice(1) : steps;
  let schema: JsonSchema = kind.schema;
  let path = `${kind.kind}.spec`;
  let isRequired = false;
  for (const text of inSpec) {
    const step = text.replace(/\[[^\]]*\]$/, "");
    const holder = itemsOf(schema);
    const properties = isRecord(holder["properties"]) ? holder["properties"] : {};
    const next = Object.hasOwn(properties, step) ? properties[step] : undefined;
    if (!isRecord(next)) {
      const near = closest(step, Object.keys(properties));
      const known = Object.keys(properties).join(", ");
      return `${path} has no field ${step}; ${near === undefined ? `it has: ${known === "" ? "none" : known}` : `did you mean ${near}?`}`;
    }
    isRequired = Array.isArray(holder["required"]) && holder["required"].includes(step);
    schema = next;
    path = `${path}.${step}`;
  }
  return describe(schema, { path, isRequired, depth: 1 });
}

function describe(
  schema: JsonSchema,
  { path, isRequired, depth }: { readonly path: string; readonly isRequired: boolean; readonly depth: number },
): Explained {
  const holder = itemsOf(schema);
  const properties = isRecord(holder["properties"]) ? Object.entries(holder["properties"]) : [];
  const required = Array.isArray(holder["required"]) ? holder["required"] : [];
  const description = schema["description"] ?? (holder === schema ? undefined : holder["description"]);
  const allowed = allowedBy(holder);
  return {
    path,
    type: typeOf(schema),
    description: typeof description === "string" ? description : "",
    required: isRequired,
    ...(schema["default"] === undefined ? {} : { default: schema["default"] }),
    ...(allowed === "" ? {} : { allowed }),
    fields:
      depth === 0
        ? []
        : properties.flatMap(([name, child]) =>
            isRecord(child)
              ? [describe(child, { path: `${path}.${name}`, isRequired: required.includes(name), depth: depth - 1 })]
              : [],
          ),
  };
}

/** The schema of a list's entries, or of a map's values; any other is itself. */
function itemsOf(schema: JsonSchema): JsonSchema {
  if (isRecord(schema["items"])) return itemsOf(schema["items"]);
  if (schema["properties"] === undefined && isRecord(schema["additionalProperties"])) {
    return itemsOf(schema["additionalProperties"]);
  }
  return schema;
}

function typeOf(schema: JsonSchema): string {
  if (isRecord(schema["items"])) return `list of ${typeOf(schema["items"])}`;
  if (schema["properties"] === undefined && isRecord(schema["additionalProperties"])) {
    return `map of ${typeOf(schema["additionalProperties"])}`;
  }
  const type = schema["type"];
  if (typeof schema["format"] === "string") return schema["format"];
  return typeof type === "string" ? type : Array.isArray(type) ? type.join(" or ") : "any";
}

function allowedBy(schema: JsonSchema): string {
  if (Array.isArray(schema["enum"])) return schema["enum"].map(String).join(", ");
  const parts = (["minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "pattern"] as const).flatMap(
    (word) => (schema[word] === undefined ? [] : [`${word} ${JSON.stringify(schema[word])}`]),
  );
  return parts.join(", ");
}

function kindTable(kinds: readonly Kind[]): string {
  return formatTable(
    [
      { title: "kind", cell: (row: Kind) => row.kind },
      { title: "names", cell: ({ plural, shortNames }) => [plural, ...shortNames].join(", ") },
      { title: "apiVersion", cell: ({ apiVersion }) => apiVersion },
      { title: "namespaced", cell: ({ namespaced }) => (namespaced ? "yes" : "no") },
      {
        title: "meaning",
        cell: ({ schema }) => (typeof schema["description"] === "string" ? schema["description"] : ""),
      },
    ],
    kinds,
  );
}

function fieldText(kind: Kind, field: Explained): string {
  const lines = [`${field.path}  (${kind.apiVersion})`, `  ${facts(field)}`];
  if (field.description !== "") lines.push(`  ${field.description}`);
  if (field.fields.length > 0) lines.push("", "FIELDS");
  for (const one of field.fields) {
    lines.push(`  ${one.path.slice(field.path.length + 1)}  ${facts(one)}`);
    if (one.description !== "") lines.push(`      ${one.description}`);
  }
  return `${lines.join("\n")}\n`;
}

function facts({ type, required, default: preset, allowed }: Explained): string {
  const parts = [type];
  if (required) parts.push("required");
  if (preset !== undefined) parts.push(`default ${JSON.stringify(preset)}`);
  if (allowed !== undefined) parts.push(allowed);
  return `<${parts.join("; ")}>`;
}
