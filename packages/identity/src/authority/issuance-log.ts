// The append-only log of everything issued: one JSON line a certificate or token, on the disk before it is handed out. Grown large it is set aside under a name with its date and a new one is begun; nothing is ever deleted here.

import { open, rename, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

import { syncDirectory } from "./key-store.ts";

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

interface Pending {
  readonly line: string;
  readonly timeMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const MAX_BYTES = 64 * 1024 * 1024;

/** Appends to a file of mode 0600. What waits at one time is written and synced together. */
export class IssuanceLog {
  readonly #path: string;
  readonly #maxBytes: number;
  #file: FileHandle;
  #size: number;
  /** A crash or a full disk left the last line without its end. */
  #isTorn: boolean;
  #pending: Pending[] = [];
  #writing: Promise<void> | undefined;

  private constructor(path: string, maxBytes: number, opened: Opened) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#file = opened.file;
    this.#size = opened.size;
    this.#isTorn = opened.isTorn;
  }

  /** Opens or makes the log, to be set aside at `maxBytes` (default 64 MiB); throws a system error. */
  static async open(path: string, maxBytes: number = MAX_BYTES): Promise<IssuanceLog> {
    return new IssuanceLog(path, maxBytes, await openFile(path));
  }

  /** Kept when the line is on the disk; rejects with a system error when it may not be. */
  append(record: IssuanceRecord): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.#pending.push({ line: `${JSON.stringify(record)}\n`, timeMs: record.timeMs, resolve, reject });
    });
    this.#writing ??= this.#writeAll().finally(() => (this.#writing = undefined));
    return written;
  }

  /** Writes what is due and closes the file. */
  async close(): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending;
      this.#pending = [];
      try {
        // oxlint-disable-next-line no-await-in-loop -- one batch after the other: lines never mix
        await this.#write(batch);
        for (const { resolve } of batch) resolve();
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    if (this.#size >= this.#maxBytes) await this.#setAside(batch[0]?.timeMs ?? 0);
    const bytes = Buffer.from((this.#isTorn ? "\n" : "") + batch.map(({ line }) => line).join(""));
    const { bytesWritten } = await this.#file.write(bytes);
    this.#size += bytesWritten;
    this.#isTorn = bytesWritten !== bytes.length;
    if (this.#isTorn) throw new Error(`${bytesWritten} of ${bytes.length} bytes written`);
    await this.#file.datasync();
  }

  /** The lines are all on the disk before; when it cannot be done the log just grows on. */
  async #setAside(timeMs: number): Promise<void> {
    const stamp = new Date(timeMs).toISOString().replaceAll(/[^0-9TZ]/g, "");
    const aside = this.#path.replace(/(\.[a-z]+)?$/, `-${stamp}-${this.#size}$1`);
    try {
      await rename(this.#path, aside);
    } catch {
      return;
    }
    const before = this.#file;
    const opened = await openFile(this.#path);
    this.#file = opened.file;
    this.#size = opened.size;
    this.#isTorn = opened.isTorn;
    await syncDirectory(dirname(this.#path));
    await before.close();
  }
}

interface Opened {
  readonly file: FileHandle;
  readonly size: number;
  readonly isTorn: boolean;
}

async function openFile(path: string): Promise<Opened> {
  const file = await open(path, "a+", 0o600);
  await file.chmod(0o600);
  const { size } = await file.stat();
  const last = Buffer.alloc(1);
  if (size > 0) await file.read(last, 0, 1, size - 1);
  return { file, size, isTorn: size > 0 && last.toString() !== "\n" };
}
