// The dialling side of mutual TLS, with resumption within one generation of identities.

import type { X509Certificate } from "node:crypto";
import { connect, type ConnectionOptions, type TLSSocket } from "node:tls";
import type { Clock } from "@ripstop/core";
import { closeCause } from "../close-cause.ts";
import { currentTier } from "../current-tier.ts";
import { dial, type DialEvents } from "../dial.ts";
import { publicTier } from "../tiers/public-tier.ts";
import type { Connecting, ConnectEvents, ConnectTarget, Tier, TierName } from "../tiers/tier.ts";
import { acceptPeer, type PeerRules } from "./accept-peer.ts";
import { socketHandshake } from "./handshake.ts";
import { handshakeProblem } from "./handshake-problem.ts";
import type { IdentityTable } from "./identity-table.ts";
import { withCaller } from "./mesh-server-name.ts";
import type { VerifyPeer } from "./peer-verdict.ts";
import { revocationText } from "./revocation-list.ts";
import { secureConn } from "./secure-conn.ts";
import type { TlsObserver } from "./tls-observer.ts";

/** Whom to reach and as whom. */
export interface DialTlsOptions {
  /** IP address or DNS name. */
  readonly host: string;
  readonly port: number;
  /** The workload whose identity is presented. */
  readonly workloadId: string;
  /** From `meshServerName`; "" sends none. */
  readonly serverName: string;
  /** The exact SPIFFE id that must answer. */
  readonly expectedPeerId: string;
  /** Trust domain of that id. */
  readonly trustDomain: string;
  /** For everything together: name, connection, handshake. */
  readonly timeoutMs: number;
  /** Default "h2". */
  readonly alpn?: string;
}

/** A session proves the identity of who made it, so that no other workload may resume it. */
function sessionKeyOf(options: DialTlsOptions): string {
  return `${options.workloadId} ${options.serverName} ${options.expectedPeerId}`;
}

/** Dials with the identities of one table, and remembers sessions. */
export class TlsDialer {
  readonly #identities: IdentityTable;
  readonly #verifyPeer: VerifyPeer;
  readonly #observer: TlsObserver;
  readonly #clock: Clock;
  readonly #tierName: TierName;
  readonly #sessions = new SessionCache();

  constructor(parts: {
    readonly identities: IdentityTable;
    readonly verifyPeer: VerifyPeer;
    readonly observer: TlsObserver;
    readonly clock: Clock;
    /** For tests; default the process's tier. */
    readonly tierName?: TierName;
  }) {
    this.#identities = parts.identities;
    this.#verifyPeer = parts.verifyPeer;
    this.#observer = parts.observer;
    this.#clock = parts.clock;
    this.#tierName = parts.tierName ?? currentTier().name;
  }

  /**
   * Starts to connect. `onConnected` gets a connection whose peer is verified to be `expectedPeerId`. Causes of failure
   * are those of `dial`, and "RIPSTOP_TLS_…" with the reason in capitals when the handshake or the peer was at fault.
   */
  dial(options: DialTlsOptions, events: DialEvents): Connecting {
    const { host, port, timeoutMs } = options;
    const tier: Tier = {
      name: publicTier.name,
      attach: publicTier.attach,
      connect: (target, connectEvents) => this.#connect(target, options, connectEvents),
    };
    return dial({ host, port, timeoutMs, clock: this.#clock, tier }, events);
  }

  #connect(target: ConnectTarget, options: DialTlsOptions, events: ConnectEvents): Connecting {
    const { workloadId, serverName, expectedPeerId, trustDomain, alpn = "h2" } = options;
    const generation = this.#identities.generation;
    const sessionKey = sessionKeyOf(options);
    const peer = "path" in target ? target.path : `${target.address}:${target.port}`;
    let over = false;
    const socket: { current?: TLSSocket } = {};
    const fail = (reason: string, message: string): void => {
      if (over) return;
      over = true;
      this.#sessions.forget(sessionKey);
      this.#observer.refused({ reason, message, side: "client", peer });
      socket.current?.destroy();
      events.onFailed(closeCause(`RIPSTOP_TLS_${reason.toUpperCase()}`, message));
    };
    const own = this.#identities.ownRevocation(workloadId);
    if (own) {
      queueMicrotask(() => fail("own_identity_revoked", `the caller's own ${revocationText(own.spiffeId, own.by)}`));
      return { cancel: () => (over = true) };
    }
    const context = this.#identities.clientContext(workloadId, trustDomain);
    if (!context) {
      queueMicrotask(() =>
        fail("no_identity", `${workloadId} has no certificate yet, or there is no trust bundle for ${trustDomain}`),
      );
      return { cancel: () => (over = true) };
    }
    const caller = this.#identities.callerOf(workloadId, trustDomain);
    const known = this.#sessions.find(sessionKey, generation);
    const rules: PeerRules = {
      identities: this.#identities,
      verifyPeer: this.#verifyPeer,
      alpn,
      expectedPeerId,
      provenTrustDomain: trustDomain,
    };
    const connectOptions: ConnectionOptions & { readonly allowHalfOpen: boolean } = {
      ...("path" in target ? { path: target.path } : { host: target.address, port: target.port }),
      allowHalfOpen: true,
      servername: caller === undefined ? serverName : withCaller(serverName, caller),
      secureContext: context,
      ALPNProtocols: [alpn],
      rejectUnauthorized: true,
      // The name in the certificate is the SPIFFE id, checked below: node:tls skips this callback on resumption.
      checkServerIdentity: () => undefined,
      ...(known ? { session: known.session } : {}),
    };
    const tls = connect(connectOptions);
    socket.current = tls;
    let connected = false;
    tls.setNoDelay(true);
    tls.setKeepAlive(true);
    tls.once("connect", () => {
      connected = true;
    });
    let ticket: Buffer | undefined;
    let leaf: X509Certificate | undefined;
    // Only the session of a verified peer is worth keeping; its ticket comes after or, rarely, before the verification.
    const remember = (): void => {
      if (ticket && leaf) this.#sessions.remember(sessionKey, { generation, session: ticket, leaf });
    };
    tls.on("session", (session: Buffer) => {
      ticket = session;
      remember();
    });
    const onError = (error: Error): void => {
      if (over) return;
      if (connected || !("syscall" in error)) {
        const refusal = tls.authorizationError ? acceptPeer(socketHandshake(tls), rules, serverName) : undefined;
        const [reason, message] =
          refusal && "reason" in refusal ? [refusal.reason, refusal.message] : handshakeProblem(error);
        fail(reason, message);
        return;
      }
      over = true;
      events.onFailed(closeCause("code" in error ? String(error.code) : "EUNKNOWN", error.message));
    };
    tls.on("error", onError);
    tls.once("close", () => fail("connection_lost", "the peer closed before the handshake was complete"));
    tls.once("secureConnect", () => {
      if (over) return;
      const outcome = acceptPeer(socketHandshake(tls, known?.leaf), rules, serverName);
      if ("reason" in outcome) {
        fail(outcome.reason, outcome.message);
        return;
      }
      over = true;
      leaf = outcome.leaf;
      remember();
      this.#observer.accepted("client", outcome.info.resumed);
      events.onConnected(secureConn(tls, this.#tierName, { tls: outcome.info }));
    });
    return {
      cancel() {
        over = true;
        tls.destroy();
      },
    };
  }
}

const MAX_SESSIONS = 1_024;

interface KnownSession {
  readonly generation: number;
  readonly session: Buffer;
  readonly leaf: X509Certificate;
}

/** The latest ticket per (identity, server name, peer), valid within one generation. */
class SessionCache {
  readonly #entries = new Map<string, KnownSession>();

  remember(key: string, session: KnownSession): void {
    this.#entries.delete(key);
    if (this.#entries.size >= MAX_SESSIONS) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(key, session);
  }

  find(key: string, generation: number): KnownSession | undefined {
    const entry = this.#entries.get(key);
    if (entry && entry.generation !== generation) this.#entries.delete(key);
    return entry?.generation === generation ? entry : undefined;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }
}
