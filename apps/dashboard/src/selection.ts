// What is picked, in the address of the page: so that it can be bookmarked, sent to somebody, and gone back to.

/** A service ("NAMESPACE/NAME"), or an edge as "SOURCE→DESTINATION", or nothing. */
export type Selection = { readonly kind: "service" | "edge"; readonly id: string } | undefined;

/** The selection of a fragment such as "#service=shop%2Fcatalog". */
export function readSelection(hash: string): Selection {
  const query = new URLSearchParams(hash.replace(/^#/, ""));
  for (const kind of ["service", "edge"] as const) {
    const id = query.get(kind);
    if (id !== null && id !== "") return { kind, id };
  }
  return undefined;
}

/** The fragment of a selection; "" for none. */
export function writeSelection(selection: Selection): string {
  return selection === undefined ? "" : `#${new URLSearchParams({ [selection.kind]: selection.id }).toString()}`;
}
