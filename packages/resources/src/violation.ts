// What validation finds. Always all of it, never just the first.

/** One thing that is wrong with a resource. */
export interface Violation {
  /** Path in the resource: "spec.rules[0].backendRefs[1].port". */
  readonly path: string;
  /** What is wrong, in one plain sentence. */
  readonly message: string;
  /** What would be right. */
  readonly remedy: string;
  /** "HTTPRoute shop/catalog"; "" when not even that could be read. */
  readonly resource: string;
  /** Where it came from, when it came from a file. */
  readonly source?: SourcePosition;
}

/** Position in a file, both counted from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}
