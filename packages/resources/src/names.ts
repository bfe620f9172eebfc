// Names, labels and annotations as Kubernetes defines them.

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;

/** One finding: what is wrong and what would be right. */
export interface NameProblem {
  readonly message: string;
  readonly remedy: string;
}

const LABEL_REMEDY = "use 1 to 63 of a-z, 0-9 and -, starting and ending with a letter or digit";

/** Whether `text` is a DNS label (RFC 1123 §2.1, lower case): 1 to 63 of a-z, 0-9, inner dashes. */
export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && DNS_LABEL.test(text);
}

/** Whether `text` is a DNS name of labels joined by dots, at most 253 characters. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && text.split(".").every((label) => isDnsLabel(label));
}

/** What is wrong with `text` as a DNS label, if anything. `what` names the thing: "the namespace". */
export function dnsLabelProblem(text: string, what: string): NameProblem | undefined {
  if (isDnsLabel(text)) return undefined;
  return { message: `${what} ${quote(text)} is not a DNS label`, remedy: suggestLabel(text) };
}

/** What is wrong with `text` as a DNS subdomain, if anything. */
export function dnsSubdomainProblem(text: string, what: string): NameProblem | undefined {
  if (isDnsSubdomain(text)) return undefined;
  return {
    message: `${what} ${quote(text)} is not a DNS name`,
    remedy: "use at most 253 of a-z, 0-9, - and ., each part starting and ending with a letter or digit",
  };
}

/** What is wrong with a label or annotation key ("prefix/name" or "name"), if anything. */
export function labelKeyProblem(key: string): NameProblem | undefined {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  if (prefix !== undefined && !isDnsSubdomain(prefix)) {
    return {
      message: `the prefix of key ${quote(key)} is not a DNS name`,
      remedy: 'write keys as "name" or "example.com/name"',
    };
  }
  if (name.length > 63 || !LABEL_NAME.test(name)) {
    return {
      message: `${quote(key)} is not a label key`,
      remedy:
        "use 1 to 63 of letters, digits, -, _ and ., starting and ending with a letter or digit, after an optional prefix and /",
    };
  }
  return undefined;
}

/** What is wrong with a label's value, if anything. */
export function labelValueProblem(value: string): NameProblem | undefined {
  if (value === "" || (value.length <= 63 && LABEL_NAME.test(value))) return undefined;
  return {
    message: `${quote(value)} is not a label value`,
    remedy: "use at most 63 of letters, digits, -, _ and ., starting and ending with a letter or digit",
  };
}

/** `text` in quotes, shortened to what a person can read, control characters escaped. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}

function suggestLabel(text: string): string {
  const fixed = text
    .slice(0, 63)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  return isDnsLabel(fixed) ? `${LABEL_REMEDY}, for example ${fixed}` : LABEL_REMEDY;
}
