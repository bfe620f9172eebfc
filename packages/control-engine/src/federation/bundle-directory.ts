// All bundles that the mesh believes in, as documents: the own one, numbered, and those of federated trust domains.

import { createHash } from "node:crypto";

import type { Clock } from "@ripstop/core";
import type { Authority, JwtIssuer } from "@ripstop/identity/authority";
import { formatBundle, type SpiffeBundle } from "@ripstop/identity/jwt";
import type { BundlesView } from "@ripstop/model";
import type { Logger } from "@ripstop/telemetry";

import type { Table } from "../store/store.ts";
import type { Federation } from "./federation.ts";

/** The number of the own document and what it stands for. */
export interface BundleNumber {
  readonly sequence: number;
  /** SHA-256 of the keys, hex. */
  readonly sha256: string;
}

/** What the directory is made of. */
export interface BundleDirectoryOptions {
  readonly authority: Authority;
  readonly jwt: JwtIssuer;
  readonly federation: Federation;
  readonly table: Table<BundleNumber>;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Of several control planes one numbers the document, and the others take the number over. Default: this one. */
  leads?(): boolean;
}

/** How often others shall look: a root signs only long after it was published, so a minute is often enough. */
const REFRESH_HINT_S = 60;
const OWN = "own";
const MAX_WAITING = 4_096;

/** Knows the present documents, and who waits for other ones. */
export class BundleDirectory {
  readonly #options: BundleDirectoryOptions;
  readonly #stops: (() => void)[];
  readonly #waiting = new Set<() => void>();
  readonly #listeners = new Set<() => void>();
  #number: BundleNumber;
  #own: SpiffeBundle;
  #view: BundlesView;

  constructor(options: BundleDirectoryOptions) {
    this.#options = options;
    this.#number = options.table.get(OWN) ?? { sequence: 0, sha256: "" };
    this.#own = this.#readOwn();
    this.#view = this.#makeView();
    const changed = (): void => this.#onChange();
    const { authority, jwt, federation } = options;
    const renumbered = (_: string, number: BundleNumber | undefined): void => {
      if (number === undefined || number.sha256 !== this.#number.sha256) return;
      if (number.sequence === this.#number.sequence) return;
      this.#number = number;
      this.#onChange();
    };
    this.#stops = [
      authority.onBundleChange(changed),
      jwt.onChange(changed),
      federation.onChange(changed),
      options.table.watch(renumbered),
    ];
  }

  /** The own bundle. */
  get own(): SpiffeBundle {
    return this.#own;
  }

  /** All documents at this moment. */
  get view(): BundlesView {
    return this.#view;
  }

  /** Calls `listener` after every change; returns how to stop. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The documents as soon as they are other than `version`, at the latest after `waitMs`. */
  waitForOther(version: string, waitMs: number): Promise<BundlesView> {
    if (version !== this.#view.version || waitMs <= 0 || this.#waiting.size >= MAX_WAITING)
      return Promise.resolve(this.#view);
    return new Promise((resolve) => {
      const done = (): void => {
        timer.clear();
        this.#waiting.delete(done);
        resolve(this.#view);
      };
      const timer = this.#options.clock.after(waitMs, done);
      this.#waiting.add(done);
    });
  }

  /** Answers all who wait and stops following. */
  close(): void {
    for (const stop of this.#stops.splice(0)) stop();
    for (const done of [...this.#waiting]) done();
    this.#listeners.clear();
  }

  #onChange(): void {
    this.#own = this.#readOwn();
    const view = this.#makeView();
    if (view.version === this.#view.version) return;
    this.#view = view;
    for (const done of [...this.#waiting]) done();
    for (const listener of [...this.#listeners]) listener();
  }

  /** The own bundle under its number. A new one is above the old one and above the time: also when the old one was lost. */
  #readOwn(): SpiffeBundle {
    const { authority, jwt, table, clock, logger } = this.#options;
    const bundle = {
      x509Authorities: authority.bundle().der,
      jwtAuthorities: jwt.keys(),
      sequence: undefined,
      refreshHintS: REFRESH_HINT_S,
    };
    const sha256 = createHash("sha256").update(formatBundle(bundle)).digest("hex");
    if (sha256 !== this.#number.sha256) {
      this.#number = { sequence: Math.max(this.#number.sequence + 1, Math.floor(clock.nowMs() / 1000)), sha256 };
      // Another one may have numbered it already.
      const known = table.get(OWN);
      if (known?.sha256 === sha256) this.#number = known;
      else if (this.#options.leads?.() !== false)
        table.put(OWN, this.#number).catch((error: unknown) => {
          logger?.error("the number of the bundle could not be stored", { error: String(error) });
        });
    }
    return { ...bundle, sequence: this.#number.sequence };
  }

  #makeView(): BundlesView {
    const { authority, federation } = this.#options;
    const bundles: Record<string, string> = {};
    for (const [trustDomain, bundle] of federation.bundles()) bundles[trustDomain] = formatBundle(bundle);
    bundles[authority.trustDomain] = formatBundle(this.#own);
    const version = createHash("sha256").update(JSON.stringify(bundles)).digest("base64url").slice(0, 22);
    return { version, trustDomain: authority.trustDomain, bundles };
  }
}
