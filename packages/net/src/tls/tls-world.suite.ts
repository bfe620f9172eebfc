// Two sides of mutual TLS and the connections between them, for tests of what they accept and refuse.

import assert from "node:assert/strict";
import type { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { PatientClock, TestAuthority, type TestLeafOptions } from "@ripstop/testkit";
import { Recorder } from "../conn.suite.ts";
import type { CloseCause, Conn } from "../conn.ts";
import type { Listener } from "../listen.ts";
import type { TierName } from "../tiers/tier.ts";
import { IdentityTable } from "./identity-table.ts";
import { meshServerName } from "./mesh-server-name.ts";
import type { PeerVerdict } from "./peer-verdict.ts";
import { TlsDialer } from "./tls-client.ts";
import type { TlsObserver, TlsRefusal } from "./tls-observer.ts";
import { listenTls, type ListenTlsOptions } from "./tls-server.ts";

/** Accepts any one URI SAN; the real rules are tested where they live. */
export function verifyPeer(leaf: X509Certificate): PeerVerdict {
  const id = /^URI:(spiffe:\/\/([^/]+)\/\S+)$/.exec(leaf.subjectAltName ?? "");
  return id?.[1] !== undefined && id[2] !== undefined
    ? { ok: true, id: id[1], trustDomain: id[2] }
    : { ok: false, reason: "san", message: "no single URI SAN" };
}

/** Loses no time when the machine stops. */
export const patient: PatientClock = new PatientClock();

/** What became of handshakes. */
export class Outcomes implements TlsObserver {
  readonly refusals: TlsRefusal[] = [];
  readonly accepts: string[] = [];
  readonly #waiting = new Set<() => void>();

  accepted(side: "client" | "server", resumed: boolean): void {
    this.accepts.push(`${side} ${resumed ? "resumed" : "full"}`);
    this.poke();
  }

  refused(refusal: TlsRefusal): void {
    this.refusals.push(refusal);
    this.poke();
  }

  poke(): void {
    for (const check of this.#waiting) check();
  }

  reasons(side: "client" | "server"): string[] {
    return this.refusals.filter((refusal) => refusal.side === side).map((refusal) => refusal.reason);
  }

  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (condition()) resolve();
      };
      this.#waiting.add(check);
      check();
    });
  }
}

/** Workload ids of both sides. */
export const SERVER = "shop/catalog-1";
export const CLIENT = "shop/web-1";
/** What the client asks for. */
export const SERVER_NAME: string = meshServerName(SERVER, 8080) ?? "";

/** A proxy's side of the mesh: one workload, one table. */
export async function side(
  authority: TestAuthority,
  workloadId: string,
  account: string,
  options?: TestLeafOptions,
): Promise<IdentityTable> {
  const table = new IdentityTable();
  const { chainPem, keyPem } = await authority.issue(authority.idOf(account), options);
  assert.ok(table.setBundles(new Map([[authority.trustDomain, authority.bundlePem]])).ok);
  assert.ok(table.setIdentity(workloadId, { chainPem, keyPem }).ok);
  return table;
}

/** Both sides: the server listens, `dial` makes the client connect. */
export interface World {
  readonly authority: TestAuthority;
  readonly serverTable: IdentityTable;
  readonly clientTable: IdentityTable;
  readonly outcomes: Outcomes;
  readonly accepted: { readonly conn: Conn; readonly recorder: Recorder }[];
  readonly listener: Listener;
  readonly dialer: TlsDialer;
  dial(overrides?: Partial<{ serverName: string; expectedPeerId: string; alpn: string }>): Promise<Dialed>;
}

/** A connection with what it heard, or why there is none. */
export type Dialed = { readonly conn: Conn; readonly recorder: Recorder } | CloseCause;

/** What a test may change of its world. */
export type WorldOptions = Partial<ListenTlsOptions> & {
  clientAuthority?: TestAuthority;
  clientLeaf?: TestLeafOptions;
};

async function makeWorld(options: WorldOptions, opening: Listener[]): Promise<World> {
  const { clientAuthority, clientLeaf, ...listenOptions } = options;
  const authority = await TestAuthority.create();
  const serverTable = await side(authority, SERVER, "catalog");
  const clientTable = await side(clientAuthority ?? authority, CLIENT, "web", clientLeaf);
  if (clientAuthority) clientTable.setBundles(new Map([[authority.trustDomain, authority.bundlePem]]));
  const outcomes = new Outcomes();
  const accepted: World["accepted"] = [];
  const opened = await listenTls({
    identities: serverTable,
    verifyPeer,
    observer: outcomes,
    clock: patient,
    onConn(conn) {
      const recorder = new Recorder();
      conn.handler = recorder;
      accepted.push({ conn, recorder });
      outcomes.poke();
    },
    ...listenOptions,
  });
  assert.ok(opened.ok);
  opening.push(opened.value);
  const dialer = new TlsDialer({
    identities: clientTable,
    verifyPeer,
    observer: outcomes,
    clock: patient,
    ...(options.tierName === undefined ? {} : { tierName: options.tierName }),
  });
  return {
    authority,
    serverTable,
    clientTable,
    outcomes,
    accepted,
    listener: opened.value,
    dialer,
    dial: (overrides = {}) =>
      new Promise((resolve) =>
        dialer.dial(
          {
            host: "127.0.0.1",
            port: opened.value.port,
            workloadId: CLIENT,
            serverName: SERVER_NAME,
            expectedPeerId: authority.idOf("catalog"),
            trustDomain: authority.trustDomain,
            timeoutMs: 60_000,
            ...overrides,
          },
          {
            onConnected(conn) {
              const recorder = new Recorder();
              conn.handler = recorder;
              resolve({ conn, recorder });
            },
            onFailed: resolve,
          },
        ),
      ),
  };
}

/** What was dialed; fails when it did not come about. */
export function connected(outcome: Dialed): { conn: Conn; recorder: Recorder } {
  assert.ok("conn" in outcome, "code" in outcome ? outcome.message : "");
  return outcome;
}

/** Why there is no connection; fails when there is one. */
export function failed(outcome: Dialed): CloseCause {
  assert.ok("code" in outcome, "connected");
  return outcome;
}

/** One connection after which the client has a ticket of the server. */
export async function withTicket(w: World): Promise<void> {
  const { length } = w.accepted;
  const { conn, recorder } = connected(await w.dial());
  await w.outcomes.until(() => w.accepted.length > length);
  w.accepted.at(-1)?.conn.write(Buffer.from("x"), 0, 1);
  await recorder.until(() => recorder.bytes === 1);
  await new Promise((resolve) => setImmediate(resolve));
  conn.destroy();
}

/** What the body of `describeMutualTls` defines its tests with. */
export interface MutualTlsTests {
  /** A world over the tier, whose listener is closed after the test. */
  readonly world: (options?: WorldOptions) => Promise<World>;
  readonly test: (title: string, run: () => Promise<void>) => void;
}

/** Defines tests of mutual TLS for each tier that has an implementation of its own. */
export function describeMutualTls(about: string, define: (tests: MutualTlsTests) => void): void {
  for (const tierName of ["raw", "public"] as const satisfies readonly TierName[])
    describe(`${about} (${tierName})`, () => {
      const opening: Listener[] = [];
      define({
        world: (options) => makeWorld({ tierName, ...options }, opening),
        test: (title, run) =>
          void it(title, async () => {
            try {
              await run();
            } finally {
              for (const listener of opening.splice(0)) listener.close();
            }
          }),
      });
    });
}
