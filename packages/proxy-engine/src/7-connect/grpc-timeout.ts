// The deadline that a gRPC client asks for (gRPC over HTTP/2, "Timeout").

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ["H", 3_600_000],
  ["M", 60_000],
  ["S", 1_000],
  ["m", 1],
  ["u", 1e-3],
  ["n", 1e-6],
]);
const MAX_DIGITS = 8;

/** Milliseconds (≥ 1, rounded up) that a grpc-timeout field allows; 0 when there is none or it cannot be read. */
export function grpcTimeoutMs(field: string | undefined): number {
  if (field === undefined) return 0;
  const digits = field.length - 1;
  if (digits < 1 || digits > MAX_DIGITS) return 0;
  let count = 0;
  for (let at = 0; at < digits; at++) {
    const digit = field.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9) return 0;
    count = count * 10 + digit;
  }
  const unit = UNIT_MS.get(field.charAt(digits));
  return unit === undefined ? 0 : Math.max(1, Math.ceil(count * unit));
}
