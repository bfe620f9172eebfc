// Where in a resource: a list of keys and indices, and how it is written for people.

/** Keys and indices from the root of a document. */
export type FieldPath = readonly (string | number)[];

/** "spec.rules[0].matches", with keys that are not plain words quoted: metadata.labels["a.b/c"]. */
export function formatPath(path: FieldPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z_$][A-Za-z0-9_$-]*$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** The steps of a path that `formatPath` wrote. Text that it never writes gives the steps that could be read. */
export function parsePath(text: string): FieldPath {
  const steps: (string | number)[] = [];
  for (const [, word, index, quoted] of text.matchAll(
    /([A-Za-z_$][A-Za-z0-9_$-]*)|\[([0-9]+)\]|\[("(?:[^"\\]|\\.)*")\]/g,
  )) {
    if (word !== undefined) steps.push(word);
    else if (index !== undefined) steps.push(Number(index));
    else if (quoted !== undefined) steps.push(String(JSON.parse(quoted)));
  }
  return steps;
}

/** Steps of a JSON pointer (RFC 6901) through `root`: a step into a list becomes a number. */
export function pathOfPointer(pointer: string, root: unknown): FieldPath {
  if (pointer === "") return [];
  const steps: (string | number)[] = [];
  let value = root;
  for (const part of pointer.slice(1).split("/")) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(value)) {
      steps.push(Number(key));
      value = value[Number(key)];
    } else {
      steps.push(key);
      value = isRecord(value) ? value[key] : undefined;
    }
  }
  return steps;
}

/** Whether `value` is a plain object (not a list, not null). */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
