// Whether what clients saw of registers can have happened in one order that agrees with real time (linearizability;
// Herlihy and Wing 1990). For registers whose written values are all different this is decided by zones (Gibbons and
// Korach, "Testing shared memories", 1997): of each value, from the first end to the last start of its operations.

/** One operation of a client on one key. Times are of one clock, in ms. */
export interface Operation {
  readonly key: string;
  readonly kind: "read" | "write";
  /** Written, or read; "" is the value before the first write. Written values are all different. */
  readonly value: string;
  readonly startMs: number;
  /** When the answer came; Infinity for a write whose answer never came: it may happen at any time, or never. */
  readonly endMs: number;
  /** Who, for messages. */
  readonly client: string;
}

interface Zone {
  readonly value: string;
  /** The first end of its operations. */
  low: number;
  /** The last start. */
  high: number;
  write: Operation | undefined;
  isRead: boolean;
}

/** Why the history cannot have happened; none when it can. */
export function anomalies(operations: readonly Operation[]): readonly string[] {
  const byKey = new Map<string, Operation[]>();
  for (const operation of operations) {
    const known = byKey.get(operation.key);
    if (known === undefined) byKey.set(operation.key, [operation]);
    else known.push(operation);
  }
  return [...byKey].flatMap(([key, own]) => anomaliesOf(own).map((problem) => `${key}: ${problem}`));
}

function anomaliesOf(operations: readonly Operation[]): readonly string[] {
  const problems: string[] = [];
  const initial: Zone = {
    value: "",
    low: Number.NEGATIVE_INFINITY,
    high: Number.NEGATIVE_INFINITY,
    write: undefined,
    isRead: false,
  };
  const zones = new Map<string, Zone>([["", initial]]);
  for (const operation of operations) {
    if (operation.kind !== "write") continue;
    if (zones.has(operation.value)) problems.push(`${operation.value} was written twice`);
    const { value, startMs: high, endMs: low } = operation;
    zones.set(value, { value, low, high, write: operation, isRead: false });
  }
  for (const read of operations) {
    if (read.kind !== "read") continue;
    const zone = zones.get(read.value);
    if (zone === undefined) {
      problems.push(`${read.client} read ${read.value}, which nobody wrote`);
      continue;
    }
    if (zone.write !== undefined && read.endMs < zone.write.startMs)
      problems.push(`${read.client} read ${read.value} before it was written`);
    zone.low = Math.min(zone.low, read.endMs);
    zone.high = Math.max(zone.high, read.startMs);
    zone.isRead = true;
  }
  // A write without an answer that nobody has read need not have happened.
  const real = [...zones.values()].filter((zone) => zone.low !== Number.POSITIVE_INFINITY);
  return [...problems, ...overlaps(real)];
}

/** Values whose operations cannot each stand together in one order. */
function overlaps(zones: readonly Zone[]): readonly string[] {
  const problems: string[] = [];
  const forward = zones.filter(({ low, high }) => low < high).toSorted((a, b) => a.low - b.low);
  let widest: Zone | undefined;
  for (const zone of forward) {
    if (widest !== undefined && zone.low < widest.high)
      problems.push(`${name(widest)} was seen after ${name(zone)} had taken its place, or the other way round`);
    if (widest === undefined || zone.high > widest.high) widest = zone;
  }
  for (const zone of zones) {
    if (zone.low < zone.high) continue;
    // All its operations lie side by side at some moment; no forward zone may hold all these moments.
    const around = forward.find(({ low, high }) => low < zone.high && zone.low < high);
    if (around !== undefined)
      problems.push(`${name(zone)} came between operations that saw ${name(around)} before and after it`);
  }
  return problems;
}

function name({ value }: Zone): string {
  return value === "" ? "the state before the first write" : value;
}
