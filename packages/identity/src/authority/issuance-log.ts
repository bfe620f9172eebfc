// The append-only log of everything issued: one JSON line a certificate or token.

import { open, type FileHandle } from "node:fs/promises";

/** One line of the log. */
export interface IssuanceRecord {
  readonly timeMs: number;
  readonly kind: "root" | "intermediate" | "svid" | "jwt";
  readonly spiffeId: string;
  /** Hex; of a JWT-SVID its `jti`. */
  readonly serialNumber: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 of the public key (SubjectPublicKeyInfo, DER), hex; of a JWT-SVID the key that signed it. */
  readonly keySha256: string;
  /** Who may accept it; of a JWT-SVID only. */
  readonly audience?: readonly string[];
}

/** Appends to a file of mode 0600. */
export class IssuanceLog {
  readonly #file: FileHandle;
  /** A crash or a full disk left the last line without its end. */
  #isTorn: boolean;

  private constructor(file: FileHandle, isTorn: boolean) {
    this.#file = file;
    this.#isTorn = isTorn;
  }

  /** Opens or makes the log; throws a system error. */
  static async open(path: string): Promise<IssuanceLog> {
    const file = await open(path, "a+", 0o600);
    await file.chmod(0o600);
    const { size } = await file.stat();
    const last = Buffer.alloc(1);
    if (size > 0) await file.read(last, 0, 1, size - 1);
    return new IssuanceLog(file, size > 0 && last.toString() !== "\n");
  }

  /** Writes one line with a single write call, so that lines never mix; throws a system error. */
  async append(record: IssuanceRecord): Promise<void> {
    const line = Buffer.from(`${this.#isTorn ? "\n" : ""}${JSON.stringify(record)}\n`);
    const { bytesWritten } = await this.#file.write(line);
    this.#isTorn = bytesWritten !== line.length;
    if (this.#isTorn) throw new Error(`${bytesWritten} of ${line.length} bytes written`);
  }

  /** Closes the file. */
  close(): Promise<void> {
    return this.#file.close();
  }
}
