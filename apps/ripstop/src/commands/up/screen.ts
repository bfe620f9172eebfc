// What `ripstop up` shows: progress while it starts, then the table, kept fresh on a terminal.

import type { ControlInfo, WorkloadView } from "@ripstop/model";
import { workloadTable } from "../status/status.ts";

/** Where it writes. */
export interface Output {
  write(text: string): void;
  readonly isTTY: boolean;
  readonly rows: number;
  readonly columns: number;
}

/** Writes to one output; the last block is rewritten in place when it is a terminal that is large enough. */
export class Screen {
  readonly #output: Output;
  #blockLines = 0;
  #progress = "";

  constructor(output: Output) {
    this.#output = output;
  }

  /** A line that stays. A block that is shown moves below it. */
  say(line: string): void {
    this.#eraseBlock();
    this.#endProgress();
    this.#output.write(`${line}\n`);
  }

  /** The last line: the block stays as it is. */
  leave(line: string): void {
    this.#endProgress();
    this.#blockLines = 0;
    this.#output.write(`${line}\n`);
  }

  /** A step that goes on: replaced by the next one on a terminal, one line each elsewhere. */
  progress(text: string): void {
    if (text === this.#progress) return;
    if (this.#output.isTTY) this.#output.write(`\r\u001b[K  ${text}`);
    else this.#output.write(`  ${text}\n`);
    this.#progress = text;
  }

  /** The block at the end; false when it was not shown, as this is no terminal and one was shown already. */
  block(text: string): boolean {
    this.#endProgress();
    const lines = text.split("\n").length - 1;
    if (this.#blockLines > 0 && !this.#canRewrite(text, lines)) return false;
    this.#eraseBlock();
    this.#output.write(text);
    this.#blockLines = lines;
    return true;
  }

  #canRewrite(text: string, lines: number): boolean {
    const { isTTY, rows, columns } = this.#output;
    return isTTY && lines < rows && text.split("\n").every((line) => line.length < columns);
  }

  #eraseBlock(): void {
    if (this.#blockLines > 0 && this.#output.isTTY) this.#output.write(`\u001b[${this.#blockLines}A\u001b[J`);
    this.#blockLines = 0;
  }

  #endProgress(): void {
    if (this.#progress !== "" && this.#output.isTTY) this.#output.write("\r\u001b[K");
    this.#progress = "";
  }
}

/** The table, the addresses and what to try next. */
export function upBlock(info: ControlInfo, workloads: readonly WorkloadView[], hints: readonly string[]): string {
  const rows = workloads.toSorted(
    (left, right) => left.service.localeCompare(right.service) || left.version.localeCompare(right.version),
  );
  const table =
    rows.length === 0
      ? "no workloads yet: `ripstop run --service hello --port 8080 -- node hello.js`\n"
      : workloadTable(rows);
  return `\n${table}\ndashboard  ${info.dashboardUrl}\n${hints.map((hint) => `${hint}\n`).join("")}`;
}
