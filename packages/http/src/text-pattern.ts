// Regular expressions of routes, matched in time linear in the text: a small automaton (Thompson, "Regular Expression
// Search Algorithm", 1968) in place of JavaScript's backtracking engine, which one bad pattern could stall for ever.

/** A compiled pattern. */
export interface TextPattern {
  /** Whether the pattern matches the whole of `text`. Never true for text over 8 KB. */
  matches(text: string): boolean;
}

const MAX_PATTERN = 1024;
// With MAX_TEXT the bound of the work for one match.
const MAX_STATES = 1024;
const MAX_REPEAT = 255;
const MAX_TEXT = 8192;
const MAX_DEPTH = 64;

type Node =
  | { readonly kind: "set"; readonly set: CharSet }
  | { readonly kind: "fail" }
  | { readonly kind: "sequence"; readonly parts: readonly Node[] }
  | { readonly kind: "either"; readonly parts: readonly Node[] }
  | { readonly kind: "repeat"; readonly part: Node; readonly min: number; readonly max: number };

/** Inclusive ranges of character codes. */
interface CharSet {
  readonly negated: boolean;
  readonly ranges: readonly (readonly [number, number])[];
}

const DIGIT: readonly (readonly [number, number])[] = [[0x30, 0x39]];
const WORD: readonly (readonly [number, number])[] = [
  [0x30, 0x39],
  [0x41, 0x5a],
  [0x5f, 0x5f],
  [0x61, 0x7a],
];
const SPACE: readonly (readonly [number, number])[] = [
  [0x09, 0x0a],
  [0x0c, 0x0d],
  [0x20, 0x20],
];

/**
 * Compiles a pattern of the RE2 syntax: literals, ".", classes, groups, "|", "*", "+", "?", "{m,n}", \d \w \s, anchors at
 * the ends. It must match the whole text. A pattern that cannot be compiled (back-references, look-around, too large)
 * matches nothing: validation refuses it before it gets here, and a rule never applies to more than was meant.
 */
export function compileTextPattern(pattern: string): TextPattern {
  const compiled = compile(pattern);
  return typeof compiled === "string" ? { matches: () => false } : compiled;
}

/** Why compileTextPattern cannot use `pattern`, as the end of the sentence "the pattern …"; undefined when it can. */
export function textPatternProblem(pattern: string): string | undefined {
  const compiled = compile(pattern);
  return typeof compiled === "string" ? compiled : undefined;
}

function compile(pattern: string): Automaton | string {
  if (pattern.length > MAX_PATTERN) return `has more than ${MAX_PATTERN} characters`;
  const program = new Parser(pattern).parse();
  if (program === undefined) return "is not in the syntax that can be matched in linear time";
  const builder = new Builder();
  const start = builder.build(program, builder.add(MATCH, undefined, -1, -1), 0);
  return builder.overflow ? `has more than ${MAX_STATES} states` : new Automaton(builder.states, start);
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;
  #failed = false;

  constructor(text: string) {
    let body = text.startsWith("^") ? text.slice(1) : text;
    if (body.endsWith("$") && !body.endsWith("\\$")) body = body.slice(0, -1);
    this.#text = body;
  }

  parse(): Node | undefined {
    const node = this.#either();
    return this.#failed || this.#at < this.#text.length ? undefined : node;
  }

  #fail(): Node {
    this.#failed = true;
    return { kind: "fail" };
  }

  #either(): Node {
    if (++this.#depth > MAX_DEPTH) return this.#fail();
    const parts = [this.#sequence()];
    while (!this.#failed && this.#text[this.#at] === "|") {
      this.#at++;
      parts.push(this.#sequence());
    }
    this.#depth--;
    return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: "either", parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (!this.#failed && this.#at < this.#text.length) {
      const char = this.#text[this.#at];
      if (char === "|" || char === ")") break;
      parts.push(this.#repeated(this.#atom()));
    }
    return { kind: "sequence", parts };
  }

  #repeated(part: Node): Node {
    const char = this.#text[this.#at];
    let min: number;
    let max: number;
    if (char === "*") [min, max] = [0, Infinity];
    else if (char === "+") [min, max] = [1, Infinity];
    else if (char === "?") [min, max] = [0, 1];
    else if (char === "{") {
      const close = this.#text.indexOf("}", this.#at);
      const bounds = close < 0 ? null : /^([0-9]{1,3})(,([0-9]{0,3}))?$/.exec(this.#text.slice(this.#at + 1, close));
      if (bounds === null) return this.#fail();
      min = Number(bounds[1]);
      max = bounds[2] === undefined ? min : bounds[3] === "" ? Infinity : Number(bounds[3]);
      if (max < min || min > MAX_REPEAT || (max !== Infinity && max > MAX_REPEAT)) return this.#fail();
      this.#at = close;
    } else return part;
    this.#at++;
    // A lazy mark does not change whether the whole text matches.
    if (this.#text[this.#at] === "?") this.#at++;
    const next = this.#text[this.#at];
    if (next === "*" || next === "+" || next === "?" || next === "{") return this.#fail();
    return { kind: "repeat", part, min, max };
  }

  #atom(): Node {
    const char = this.#text[this.#at++] ?? "";
    switch (char) {
      case "(":
        return this.#group();
      case "[":
        return this.#class();
      case ".":
        return { kind: "set", set: { negated: true, ranges: [[0x0a, 0x0a]] } };
      case "\\": {
        const ranges = this.#escape();
        return ranges === undefined ? this.#fail() : { kind: "set", set: ranges };
      }
      case "*":
      case "+":
      case "?":
      case "{":
      case "^":
      case "$":
        return this.#fail();
      default: {
        const code = char.charCodeAt(0);
        return { kind: "set", set: { negated: false, ranges: [[code, code]] } };
      }
    }
  }

  #group(): Node {
    if (this.#text.startsWith("?:", this.#at)) this.#at += 2;
    else if (this.#text[this.#at] === "?") return this.#fail();
    const node = this.#either();
    if (this.#text[this.#at] !== ")") return this.#fail();
    this.#at++;
    return node;
  }

  /** The set that an escape stands for; undefined when it is not supported (\1, \b, \p). */
  #escape(): CharSet | undefined {
    const char = this.#text[this.#at++];
    switch (char) {
      case undefined:
        return undefined;
      case "d":
      case "D":
        return { negated: char === "D", ranges: DIGIT };
      case "w":
      case "W":
        return { negated: char === "W", ranges: WORD };
      case "s":
      case "S":
        return { negated: char === "S", ranges: SPACE };
      case "n":
        return { negated: false, ranges: [[0x0a, 0x0a]] };
      case "r":
        return { negated: false, ranges: [[0x0d, 0x0d]] };
      case "t":
        return { negated: false, ranges: [[0x09, 0x09]] };
      default: {
        if (/[A-Za-z0-9]/.test(char)) return undefined;
        const code = char.charCodeAt(0);
        return { negated: false, ranges: [[code, code]] };
      }
    }
  }

  #class(): Node {
    const ranges: (readonly [number, number])[] = [];
    const negated = this.#text[this.#at] === "^";
    if (negated) this.#at++;
    for (let first = true; ; first = false) {
      const char = this.#text[this.#at++];
      if (char === undefined) return this.#fail();
      if (char === "]" && !first) break;
      let low = char.charCodeAt(0);
      if (char === "[" && this.#text[this.#at] === ":") return this.#fail();
      if (char === "\\") {
        const set = this.#escape();
        if (set === undefined || set.negated) return this.#fail();
        const only = set.ranges[0];
        if (set.ranges.length !== 1 || only === undefined || only[0] !== only[1]) {
          ranges.push(...set.ranges);
          continue;
        }
        low = only[0];
      }
      let high = low;
      if (this.#text[this.#at] === "-" && this.#text[this.#at + 1] !== "]" && this.#at + 1 < this.#text.length) {
        this.#at++;
        const end = this.#text[this.#at++] ?? "";
        high = end.charCodeAt(0);
        if (end === "\\") {
          const set = this.#escape();
          const only = set?.ranges[0];
          if (set === undefined || set.negated || only === undefined || only[0] !== only[1]) return this.#fail();
          high = only[0];
        }
        if (high < low) return this.#fail();
      }
      ranges.push([low, high]);
    }
    return { kind: "set", set: { negated, ranges } };
  }
}

const MATCH = 0;
const SPLIT = 1;
const CHAR = 2;

interface State {
  readonly kind: typeof MATCH | typeof SPLIT | typeof CHAR;
  readonly set: CharSet | undefined;
  next: number;
  other: number;
}

class Builder {
  readonly states: State[] = [];
  overflow = false;

  add(kind: State["kind"], set: CharSet | undefined, next: number, other: number): number {
    if (this.states.length >= MAX_STATES) this.overflow = true;
    else this.states.push({ kind, set, next, other });
    return this.states.length - 1;
  }

  /** The state in which `node` starts, when it goes on to state `next`. */
  build(node: Node, next: number, depth: number): number {
    if (this.overflow || depth > MAX_DEPTH * 4) {
      this.overflow = true;
      return next;
    }
    switch (node.kind) {
      case "set":
        return this.add(CHAR, node.set, next, -1);
      case "fail":
        this.overflow = true;
        return next;
      case "sequence":
        return node.parts.reduceRight((to, part) => this.build(part, to, depth + 1), next);
      case "either":
        return node.parts
          .map((part) => this.build(part, next, depth + 1))
          .reduceRight((other, first) => this.add(SPLIT, undefined, first, other));
      case "repeat":
        return this.#repeat(node.part, node.min, node.max, next, depth);
    }
  }

  #repeat(part: Node, min: number, max: number, next: number, depth: number): number {
    let to = next;
    if (max === Infinity) {
      const loop = this.add(SPLIT, undefined, -1, next);
      const state = this.states[loop];
      if (state !== undefined) state.next = this.build(part, loop, depth + 1);
      to = loop;
    } else {
      for (let count = min; count < max; count++)
        to = this.add(SPLIT, undefined, this.build(part, to, depth + 1), next);
    }
    for (let count = 0; count < min; count++) to = this.build(part, to, depth + 1);
    return to;
  }
}

class Automaton implements TextPattern {
  readonly #states: readonly State[];
  readonly #start: number;

  constructor(states: readonly State[], start: number) {
    this.#states = states;
    this.#start = start;
  }

  matches(text: string): boolean {
    if (text.length > MAX_TEXT) return false;
    let current = new Set<number>();
    this.#enter(this.#start, current);
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      const following = new Set<number>();
      for (const index of current) {
        const state = this.#states[index];
        if (state?.kind === CHAR && state.set !== undefined && contains(state.set, code))
          this.#enter(state.next, following);
      }
      if (following.size === 0) return false;
      current = following;
    }
    for (const index of current) if (this.#states[index]?.kind === MATCH) return true;
    return false;
  }

  /** Adds `first` and all that it reaches without a character. */
  #enter(first: number, into: Set<number>): void {
    const open = [first];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (into.has(index)) continue;
      into.add(index);
      const state = this.#states[index];
      if (state?.kind === SPLIT) open.push(state.other, state.next);
    }
  }
}

function contains(set: CharSet, code: number): boolean {
  for (const [low, high] of set.ranges) if (code >= low && code <= high) return !set.negated;
  return set.negated;
}
