// Host names of listeners and routes: "*.example.com" stands for any number of labels before ".example.com".

/**
 * The narrower of two host names that have names in common; undefined when they have none. "" stands for every name. Lower
 * case.
 */
export function intersection(a: string, b: string): string | undefined {
  if (a === "" || a === b) return b;
  if (b === "") return a;
  if (covers(a, b)) return b;
  return covers(b, a) ? a : undefined;
}

/** Whether every name of `inner` is one of the wildcard `outer`. */
function covers(outer: string, inner: string): boolean {
  return outer.startsWith("*.") && inner.length > outer.length - 1 && inner.endsWith(outer.slice(1));
}
