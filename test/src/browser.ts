// Chromium, the real browser of these tests: what a page is after its scripts ran.

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { needsProgram } from "./requirements.ts";

const exec = promisify(execFile);

const FLAGS: readonly string[] = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** The reason to skip when there is no browser, or false. */
export const needsBrowser: string | false = needsProgram("chromium", "apt-get install chromium");

/** A browser with a profile of its own. */
export class Browser {
  readonly #profile = mkdtempSync(join(tmpdir(), "ripstop-browser-"));

  /** The document at `url` after its scripts ran, as HTML. `options`: of Chromium, such as "--virtual-time-budget=5000". */
  async documentOf(url: string, ...options: readonly string[]): Promise<string> {
    const args = [...FLAGS, `--user-data-dir=${this.#profile}`, ...options, "--dump-dom", url];
    const { stdout } = await exec("chromium", args, { maxBuffer: 1 << 24, timeout: 120_000 });
    return stdout;
  }

  /** Removes the profile. */
  close(): void {
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}
