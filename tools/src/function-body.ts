// Finds a function in a built file by its name.

import { parseSync, Visitor } from "oxc-parser";

/** Where the body of a function or method ("name" or "Class.name") starts and ends, braces included. Throws unless there is one. */
export function bodyOf(file: string, text: string, wanted: string): { readonly start: number; readonly end: number } {
  const found: { start: number; end: number }[] = [];
  let className = "";
  const keep = (name: string, body: { start: number; end: number } | null | undefined): void => {
    if (name === wanted && body) found.push({ start: body.start, end: body.end });
  };
  new Visitor({
    FunctionDeclaration: (node) => keep(node.id?.name ?? "", node.body),
    ClassDeclaration: (node) => {
      className = node.id?.name ?? "";
    },
    MethodDefinition: (node) => {
      const { key, value } = node;
      const name = key.type === "Identifier" ? key.name : key.type === "PrivateIdentifier" ? `#${key.name}` : "";
      keep(`${className}.${name}`, value.body);
    },
  }).visit(parseSync(file, text).program);
  const [only, ...others] = found;
  if (!only || others.length > 0)
    throw new Error(
      `${file}: ${found.length} functions called ${wanted}, expected one: correct tools/src/enforcements.ts`,
    );
  return only;
}
