// The append-only log of everything issued: one JSON line a certificate.

import { open, type FileHandle } from "node:fs/promises";

/** One line of the log. */
export interface IssuanceRecord {
  readonly timeMs: number;
  readonly kind: "root" | "intermediate" | "svid";
  readonly spiffeId: string;
  /** Hex. */
  readonly serialNumber: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 of the public key (SubjectPublicKeyInfo, DER), hex. */
  readonly keySha256: string;
}

/** Appends to a file of mode 0600. */
export class IssuanceLog {
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Opens or makes the log; throws a system error. */
  static async open(path: string): Promise<IssuanceLog> {
    const file = await open(path, "a", 0o600);
    await file.chmod(0o600);
    return new IssuanceLog(file);
  }

  /** Writes one line with a single write call, so that lines never mix; throws a system error. */
  async append(record: IssuanceRecord): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(record)}\n`);
    const { bytesWritten } = await this.#file.write(line);
    if (bytesWritten !== line.length) throw new Error(`${bytesWritten} of ${line.length} bytes written`);
  }

  /** Closes the file. */
  close(): Promise<void> {
    return this.#file.close();
  }
}
