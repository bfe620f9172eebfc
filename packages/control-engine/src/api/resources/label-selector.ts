// Label selectors in the form that kubectl takes: "app=web,tier!=cache,canary,!old,env in (a,b)".

import { err, ok, type Result } from "@ripstop/core";

/** Says whether labels fit. */
export type LabelSelector = (labels: Readonly<Record<string, string>>) => boolean;

const MAX_CHARACTERS = 4_096;
const MAX_TERMS = 64;
const KEY = "[A-Za-z0-9][A-Za-z0-9./_-]{0,316}";
const VALUE = "[A-Za-z0-9._-]{0,63}";
const EQUALITY = new RegExp(`^(${KEY})\\s*(=|==|!=)\\s*(${VALUE})$`);
const MEMBERSHIP = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const PRESENCE = new RegExp(`^(!?)\\s*(${KEY})$`);

/** Reads a selector; "" fits everything. The error says which part is wrong. */
export function parseLabelSelector(text: string): Result<LabelSelector, string> {
  if (text.length > MAX_CHARACTERS) return err(`a label selector has at most ${MAX_CHARACTERS} characters`);
  const terms: LabelSelector[] = [];
  for (const part of splitTerms(text)) {
    const term = part.trim();
    if (term === "") continue;
    const read = readTerm(term);
    if (read === undefined) return err(`${JSON.stringify(term)} is no term of a label selector`);
    if (terms.push(read) > MAX_TERMS) return err(`a label selector has at most ${MAX_TERMS} terms`);
  }
  return ok((labels) => terms.every((term) => term(labels)));
}

/** At the commas that are not between brackets. */
function splitTerms(text: string): readonly string[] {
  const terms: string[] = [];
  let start = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at);
    if (character === "(") depth++;
    else if (character === ")") depth--;
    else if (character === "," && depth === 0) {
      terms.push(text.slice(start, at));
      start = at + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function readTerm(term: string): LabelSelector | undefined {
  const [, key = "", operator, value] = EQUALITY.exec(term) ?? [];
  if (operator !== undefined) {
    // As in Kubernetes, != fits what does not have the label, too.
    return operator === "!=" ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const [, name = "", word, list = ""] = MEMBERSHIP.exec(term) ?? [];
  if (word !== undefined) {
    const values = new Set(list.split(",").map((one) => one.trim()));
    return word === "in"
      ? (labels) => labels[name] !== undefined && values.has(labels[name])
      : (labels) => labels[name] === undefined || !values.has(labels[name]);
  }
  const [, not, present] = PRESENCE.exec(term) ?? [];
  if (present === undefined) return undefined;
  return not === "!" ? (labels) => !Object.hasOwn(labels, present) : (labels) => Object.hasOwn(labels, present);
}
