// Reads YAML and JSON files: several documents a file, the position of every node, and limits that keep a hostile
// file from costing more than its size.

import {
  Composer,
  Lexer,
  LineCounter,
  Parser,
  isMap,
  isScalar,
  isSeq,
  type Document,
  type Node,
  type ParsedNode,
} from "yaml";

import type { FieldPath } from "./field-path.ts";
import type { SourcePosition, Violation } from "./violation.ts";

/** Limits on one file. */
export interface SourceLimits {
  /** Characters; default 4 Mi. */
  readonly maxLength: number;
  /** Documents; default 10 000. */
  readonly maxDocuments: number;
  /** Nested maps and lists; default 64. */
  readonly maxDepth: number;
  /** Nodes that aliases may repeat, in one document; default 100. */
  readonly maxAliases: number;
  /** Maps, lists and scalars of one document; default 20 000. What cannot be read piece by piece is bounded by it. */
  readonly maxNodes: number;
}

const DEFAULT_LIMITS: SourceLimits = {
  maxLength: 4 * 1024 * 1024,
  maxDocuments: 10_000,
  maxDepth: 64,
  maxAliases: 100,
  maxNodes: 20_000,
};

/** Lexemes between two steps. */
const STEP_LEXEMES = 500;

/** One document of a file, as plain data, and where each part of it stands. */
export interface SourceDocument {
  readonly file: string;
  readonly value: unknown;
  /** Position of the node at `path`, or of its nearest ancestor that exists. With `atKey`, of its key where it has one. */
  positionOf(path: FieldPath, atKey?: boolean): SourcePosition;
}

/** What a file held. */
export interface SourceFile {
  readonly documents: readonly SourceDocument[];
  readonly violations: readonly Violation[];
}

/** Reads `text` (YAML 1.2, of which JSON is a part). Documents that cannot be read give violations; empty ones are left out. */
export function readSource(file: string, text: string, limits: Partial<SourceLimits> = {}): SourceFile {
  const steps = readSourceSteps(file, text, limits);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** As `readSource`, in steps of some milliseconds, between which other work can be done. */
export function* readSourceSteps(
  file: string,
  text: string,
  limits: Partial<SourceLimits> = {},
): Generator<undefined, SourceFile> {
  const { maxLength, maxDocuments, maxDepth, maxAliases, maxNodes } = { ...DEFAULT_LIMITS, ...limits };
  const refuse = (message: string, remedy: string, line = 1, column = 1): SourceFile => ({
    documents: [],
    violations: [{ path: "", message, remedy, resource: "", source: { file, line, column } }],
  });
  if (text.length > maxLength) {
    return refuse(
      `the file has ${text.length} characters; at most ${maxLength} are read`,
      "split it into several files",
    );
  }
  const lines = new LineCounter();
  const tokens: Token[] = [];
  for (const token of tokenSteps(text, lines, { maxDepth, maxNodes })) {
    if (token === undefined) {
      yield undefined;
      continue;
    }
    const excess = "of" in token ? token : firstExcess(token, maxDepth, maxNodes);
    if (excess !== undefined) {
      const { line, col } = lines.linePos(excess.offset);
      return excess.of === "depth"
        ? refuse(`maps and lists are nested more than ${maxDepth} deep`, "make the document flatter", line, col)
        : refuse(`the document has more than ${maxNodes} entries`, "split it into several resources", line, col);
    }
    if (!("of" in token)) tokens.push(token);
  }
  const documents: SourceDocument[] = [];
  const violations: Violation[] = [];
  let count = 0;
  let seen = 0;
  for (const document of new Composer({ lineCounter: lines, uniqueKeys: true, logLevel: "silent" }).compose(tokens)) {
    // Empty ones do not count, but must not be without end either.
    if (!isEmpty(document)) count++;
    if (count > maxDocuments || ++seen > 2 * maxDocuments) {
      violations.push(
        ...refuse(`the file has more than ${maxDocuments} documents`, "split it into several files").violations,
      );
      break;
    }
    const read = readDocument(file, document, lines, maxAliases);
    violations.push(...read.violations);
    documents.push(...read.documents);
    yield;
  }
  return { documents, violations };
}

type Token = ReturnType<Parser["parse"]> extends Generator<infer One> ? One : never;

/** A document is too deep or has too many entries. */
interface Excess {
  readonly of: "depth" | "nodes";
  readonly offset: number;
}

/** The lexer announces a scalar by this, and a document by the other. */
const SCALAR = "\u001f";
const DOCUMENT = "\u0002";
/** More than any entry of a real document takes: its indentation, its text, its line break and comments. */
const LEXEMES_OF_A_NODE = 8;

/**
 * What Parser.parse gives, with undefined where other work may be done. What is far beyond the limits ends it before the
 * rest is parsed.
 */
function* tokenSteps(
  text: string,
  lines: LineCounter,
  { maxDepth, maxNodes }: Pick<SourceLimits, "maxDepth" | "maxNodes">,
): Generator<Token | Excess | undefined> {
  const parser = new Parser(lines.addNewLine);
  lines.addNewLine(0);
  let count = 0;
  let offset = 0;
  let inDocument = 0;
  let depth = 0;
  let before = "";
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme === DOCUMENT || (before !== SCALAR && (lexeme === "---" || lexeme === "...")))
      [inDocument, depth] = [0, 0];
    if (before !== SCALAR && (lexeme === "[" || lexeme === "{")) depth++;
    if (before !== SCALAR && (lexeme === "]" || lexeme === "}")) depth--;
    const isTooDeep = depth > maxDepth;
    if (isTooDeep || ++inDocument > LEXEMES_OF_A_NODE * maxNodes) {
      yield { of: isTooDeep ? "depth" : "nodes", offset };
      return;
    }
    if (lexeme !== SCALAR && lexeme !== DOCUMENT) offset += lexeme.length;
    before = lexeme;
    yield* parser.next(lexeme);
    if (++count % STEP_LEXEMES === 0) yield undefined;
  }
  yield* parser.end();
}

function readDocument(file: string, document: Document.Parsed, lines: LineCounter, maxAliases: number): SourceFile {
  const at = (offset: number): SourcePosition => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const violations: Violation[] = [];
  for (const error of document.errors.slice(0, 20)) {
    violations.push({
      path: "",
      message: yamlMessage(error.code, error.message),
      remedy: YAML_REMEDIES[error.code] ?? "correct the YAML; check the indentation and quotes near this place",
      resource: "",
      source: at(error.pos[0]),
    });
  }
  if (violations.length > 0) return { documents: [], violations };
  const contents: ParsedNode | null = document.contents;
  if (contents === null || isEmpty(document)) return { documents: [], violations };
  const start = contents.range[0];
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: maxAliases });
  } catch (error) {
    const message = error instanceof ReferenceError ? error.message : "the document cannot be read";
    const remedy = `write the repeated parts out; aliases may repeat at most ${maxAliases} nodes`;
    return {
      documents: [],
      violations: [{ path: "", message: plain(message), remedy, resource: "", source: at(start) }],
    };
  }
  return {
    documents: [{ file, value, positionOf: (path, atKey = false) => at(offsetOf(contents, path, atKey)) }],
    violations,
  };
}

function isEmpty({ contents }: Document.Parsed): boolean {
  return contents === null || (isScalar(contents) && contents.value === null);
}

/** Where a document becomes too deep or too large, found without recursion. */
function firstExcess(token: unknown, maxDepth: number, maxNodes: number): Excess | undefined {
  const pending: { token: unknown; depth: number }[] = [{ token, depth: 0 }];
  let nodes = 0;
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { token: current, depth } = next;
    if (typeof current !== "object" || current === null) continue;
    const offset = "offset" in current && typeof current.offset === "number" ? current.offset : 0;
    if (++nodes > maxNodes) return { of: "nodes", offset };
    if ("items" in current && Array.isArray(current.items)) {
      if (depth >= maxDepth) return { of: "depth", offset };
      for (const item of current.items as readonly { key?: unknown; value?: unknown }[]) {
        pending.push({ token: item.key, depth: depth + 1 }, { token: item.value, depth: depth + 1 });
      }
    } else if ("value" in current && typeof current.value === "object") {
      pending.push({ token: current.value, depth });
    }
  }
  return undefined;
}

function offsetOf(root: ParsedNode, path: FieldPath, atKey: boolean): number {
  let node: Node = root;
  let offset = root.range[0];
  for (const [index, step] of path.entries()) {
    let child: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      child = pair?.value;
      const key = pair?.key;
      if (isScalar(key) && key.range && ((atKey && index === path.length - 1) || !child)) offset = key.range[0];
      if (atKey && index === path.length - 1) return offset;
    } else if (isSeq(node)) {
      child = node.items[Number(step)];
    }
    if (!isScalar(child) && !isMap(child) && !isSeq(child)) return offset;
    node = child;
    offset = node.range?.[0] ?? offset;
  }
  return offset;
}

const YAML_REMEDIES: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "keep one of the two; a key may stand only once in a map",
  TAB_AS_INDENT: "indent with spaces",
  BAD_INDENT: "indent the entries of one map or list by the same number of spaces",
};

function yamlMessage(code: string, message: string): string {
  return code === "DUPLICATE_KEY" ? "this key stands twice in the same map" : `not valid YAML: ${plain(message)}`;
}

function plain(message: string): string {
  const [first = ""] = message.split("\n");
  return first.replace(/ at line \d+, column \d+:?$/, "").replace(/\.$/, "");
}
