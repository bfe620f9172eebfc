// Texts of small numbers: statuses and short lengths cost no string.

const SMALL: readonly string[] = Array.from({ length: 1024 }, (_, value) => String(value));
const MOST_DIGITS = 3;
const ZERO = 0x30;

/** The decimal digits of a whole number from 0. */
export function decimalText(value: number): string {
  return SMALL[value] ?? String(value);
}

/** The text of `buf[start, end)` when that is a small number as `decimalText` writes it; else undefined. */
export function knownDecimal(buf: Buffer, start: number, end: number): string | undefined {
  if (end - start > MOST_DIGITS || end === start) return undefined;
  let value = 0;
  for (let at = start; at < end; at++) {
    const digit = (buf[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  const text = SMALL[value];
  return text?.length === end - start ? text : undefined;
}
