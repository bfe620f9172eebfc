// A backend's own load report in response headers or trailers (ORCA: xds.data.orca.v3.OrcaLoadReport, gRFC A51), in its three
// forms: "endpoint-load-metrics: TEXT a=1, b=2", "... JSON {...}", "... BIN base64", and "endpoint-load-metrics-bin: base64".

/** Names of the fields that carry a report. */
export const ORCA_FIELD = "endpoint-load-metrics";
/** Its binary form, as gRPC sends it. */
export const ORCA_BINARY_FIELD = "endpoint-load-metrics-bin";

/** What balancing uses of a report. */
export interface LoadReport {
  /** The application's own utilization, or else that of the processor; 0 when neither is given. May exceed 1. */
  readonly utilization: number;
  /** Requests a second; 0 when not given. */
  readonly rps: number;
}

const MAX_LENGTH = 4096;
const CPU = 1;
const RPS = 6;
const APPLICATION = 9;

/** The report in a field; undefined when there is none that can be read. `value` is whatever a peer sent. */
export function parseLoadReport(name: string, value: string): LoadReport | undefined {
  if (value.length > MAX_LENGTH) return undefined;
  if (name === ORCA_BINARY_FIELD) return parseBinary(value);
  const space = value.indexOf(" ");
  const rest = value.slice(space + 1);
  switch (value.slice(0, Math.max(0, space))) {
    case "TEXT":
      return parseText(rest);
    case "JSON":
      return parseJson(rest);
    case "BIN":
      return parseBinary(rest);
    default:
      return undefined;
  }
}

function parseText(text: string): LoadReport | undefined {
  const values = new Map<string, unknown>();
  for (const pair of text.split(",")) {
    const [key = "", number = ""] = pair.split(/[=:]/, 2);
    values.set(key.trim(), Number(number.trim() === "" ? NaN : number.trim()));
  }
  return reportOf((name) => values.get(name));
}

function parseJson(text: string): LoadReport | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null) return undefined;
  const values = new Map<string, unknown>(Object.entries(parsed));
  // The JSON form of protobuf has camel case; both are to be read.
  return reportOf(
    (name) => values.get(name) ?? values.get(name.replace(/_(.)/g, (_, next: string) => next.toUpperCase())),
  );
}

function reportOf(find: (name: string) => unknown): LoadReport | undefined {
  const number = (name: string): number => {
    const value = find(name);
    return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : 0;
  };
  return report(number("application_utilization"), number("cpu_utilization"), number("rps_fractional"));
}

/** Undefined when nothing of it is of use. */
function report(application: number, cpu: number, rps: number): LoadReport | undefined {
  const utilization = application > 0 ? application : cpu;
  return utilization > 0 || rps > 0 ? { utilization, rps } : undefined;
}

/** Protobuf by hand: three doubles matter, everything else is stepped over. */
function parseBinary(base64: string): LoadReport | undefined {
  const bytes = Buffer.from(base64, "base64");
  const found: Record<number, number> = {};
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) return -1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return -1;
  };
  while (at < bytes.length) {
    const tag = varint();
    if (tag < 0) return undefined;
    switch (tag % 8) {
      case 0:
        if (varint() < 0) return undefined;
        break;
      case 1: {
        if (at + 8 > bytes.length) return undefined;
        const value = bytes.readDoubleLE(at);
        if (Number.isFinite(value) && value >= 0) found[Math.floor(tag / 8)] = value;
        at += 8;
        break;
      }
      case 2: {
        const length = varint();
        if (length < 0 || at + length > bytes.length) return undefined;
        at += length;
        break;
      }
      case 5:
        at += 4;
        if (at > bytes.length) return undefined;
        break;
      default:
        return undefined;
    }
  }
  return report(found[APPLICATION] ?? 0, found[CPU] ?? 0, found[RPS] ?? 0);
}
