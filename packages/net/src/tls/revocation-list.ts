// Which identities and certificates are refused although a trusted root vouches for them.

/** One refused identity or certificate: exactly one of the first two fields is not "". */
export interface Revocation {
  readonly spiffeId: string;
  /** As `normalSerialNumber` writes it. */
  readonly serialNumber: string;
  /** In the operator's words, "" without. */
  readonly reason: string;
}

/** Lower-case hex without separators and leading zeros, so that every tool's spelling of a serial number is the same. */
export function normalSerialNumber(hex: string): string {
  return hex
    .replaceAll(":", "")
    .toLowerCase()
    .replace(/^0+(?=.)/, "");
}

/** An immutable set of revocations. */
export class RevocationList {
  readonly #byId = new Map<string, Revocation>();
  readonly #bySerial = new Map<string, Revocation>();

  constructor(revocations: Iterable<Revocation> = []) {
    for (const revocation of revocations) {
      if (revocation.spiffeId !== "") this.#byId.set(revocation.spiffeId, revocation);
      if (revocation.serialNumber !== "") {
        this.#bySerial.set(normalSerialNumber(revocation.serialNumber), revocation);
      }
    }
  }

  get size(): number {
    return this.#byId.size + this.#bySerial.size;
  }

  /** What refuses the certificate `serialNumber` (hex in any spelling, "" when not known) of `spiffeId`. */
  find(spiffeId: string, serialNumber: string): Revocation | undefined {
    if (this.size === 0) return undefined;
    return this.#byId.get(spiffeId) ?? this.#bySerial.get(normalSerialNumber(serialNumber));
  }

  /** True when both refuse the same. */
  equals(other: RevocationList): boolean {
    if (this.#byId.size !== other.#byId.size || this.#bySerial.size !== other.#bySerial.size) return false;
    for (const id of this.#byId.keys()) if (!other.#byId.has(id)) return false;
    for (const serial of this.#bySerial.keys()) if (!other.#bySerial.has(serial)) return false;
    return true;
  }
}

/** One sentence for the log and the caller. */
export function revocationText(spiffeId: string, { serialNumber, reason }: Revocation): string {
  const what = serialNumber === "" ? spiffeId : `certificate ${serialNumber} of ${spiffeId}`;
  return `${what} was revoked${reason === "" ? "" : `: ${reason}`}`;
}
