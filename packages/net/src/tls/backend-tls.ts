// TLS to a backend outside the mesh that proves who it is by an ordinary certificate (Gateway API BackendTLSPolicy).

import { connect as connectSocket } from "node:net";
import * as nodeTls from "node:tls";
import { checkServerIdentity, connect, type PeerCertificate, type SecureContext, type TLSSocket } from "node:tls";
import type { Clock } from "@ripstop/core";
import { causeOf, closeCause } from "../close-cause.ts";
import { currentTier } from "../current-tier.ts";
import { dial, type DialEvents } from "../dial.ts";
import { publicTier } from "../tiers/public-tier.ts";
import type { Connecting, ConnectEvents, ConnectTarget, Tier } from "../tiers/tier.ts";
import { handshakeProblem } from "./handshake-problem.ts";
import { secureConn } from "./secure-conn.ts";

/** A name that a certificate must carry. */
export interface BackendName {
  readonly type: "dns" | "uri";
  readonly value: string;
}

/** Whom to believe. */
export interface BackendTlsRules {
  /** Sent as server name; the certificate must carry it when `names` is empty. */
  readonly hostname: string;
  /** PEM; "" means the roots of the system. */
  readonly rootsPem: string;
  /** When not empty: one of these must be in the certificate, whatever `hostname` is. */
  readonly names: readonly BackendName[];
  /** Shown when the backend asks for it. */
  readonly certificate?: { readonly chainPem: string; readonly keyPem: string };
}

/** Where to, and how. */
export interface BackendDial {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** Protocol that the backend must agree to: "h2"; "http/1.1" is offered and may be left open; "" offers none. */
  readonly alpn: "h2" | "http/1.1" | "";
  /** Bytes before the handshake (PROXY protocol). */
  readonly header?: Buffer;
}

/** Dials backends by one set of rules. Throws when the roots or the own certificate cannot be read. */
export class BackendTlsDialer {
  readonly #rules: BackendTlsRules;
  readonly #context: SecureContext;

  constructor(rules: BackendTlsRules) {
    this.#rules = rules;
    const ca = rules.rootsPem === "" ? systemRoots() : rules.rootsPem;
    this.#context = nodeTls.createSecureContext({
      minVersion: "TLSv1.2",
      ...(ca === undefined ? {} : { ca }),
      ...(rules.certificate === undefined ? {} : { cert: rules.certificate.chainPem, key: rules.certificate.keyPem }),
    });
  }

  /** Starts to connect. `onConnected` gets a connection whose certificate is valid and carries the name. */
  dial(options: BackendDial, events: DialEvents): Connecting {
    const tier: Tier = {
      name: publicTier.name,
      attach: publicTier.attach,
      connect: (target, connectEvents) => this.#connect(target, options, connectEvents),
    };
    const { host, port, timeoutMs, clock } = options;
    return dial({ host, port, timeoutMs, clock, tier }, events);
  }

  #connect(target: ConnectTarget, { alpn, header }: BackendDial, events: ConnectEvents): Connecting {
    if ("path" in target) throw new Error("backends are reached by address");
    let over = false;
    const { address, family, port } = target;
    const below = connectSocket({ host: address, port, family, allowHalfOpen: true, noDelay: true, keepAlive: true });
    if (header !== undefined) below.write(header);
    const socket: TLSSocket = connect({
      socket: below,
      secureContext: this.#context,
      servername: this.#rules.hostname,
      rejectUnauthorized: true,
      checkServerIdentity: (_name, certificate) => this.#check(certificate),
      ...(alpn === "" ? {} : { ALPNProtocols: [alpn] }),
    });
    const fail = (code: string, message: string): void => {
      if (over) return;
      over = true;
      socket.destroy();
      below.destroy();
      events.onFailed(closeCause(code, message));
    };
    below.on("error", (error) => fail(causeOf(error).code, error.message));
    socket.on("error", (error: Error) => {
      const cause = causeOf(error);
      if ("syscall" in error) fail(cause.code, cause.message);
      else fail("RIPSTOP_BACKEND_TLS", problemOf(error));
    });
    socket.once("close", () => fail("RIPSTOP_BACKEND_TLS", "the backend closed before the handshake was complete"));
    socket.once("secureConnect", () => {
      if (over) return;
      const agreed = typeof socket.alpnProtocol === "string" ? socket.alpnProtocol : "";
      if (alpn === "h2" && agreed !== "h2") {
        fail("RIPSTOP_BACKEND_TLS", "the backend does not speak HTTP/2 over TLS");
        return;
      }
      over = true;
      events.onConnected(
        secureConn(socket, currentTier().name, {
          tls: {
            version: socket.getProtocol() ?? "",
            cipher: socket.getCipher().name,
            alpn: agreed,
            serverName: this.#rules.hostname,
            peerId: "",
            peerSerial: "",
            resumed: false,
          },
        }),
      );
    });
    return {
      cancel() {
        over = true;
        socket.destroy();
        below.destroy();
      },
    };
  }

  #check(certificate: PeerCertificate): Error | undefined {
    const { names, hostname } = this.#rules;
    if (names.length === 0) return checkServerIdentity(hostname, certificate);
    const carried = subjectAltNames(certificate.subjectaltname ?? "");
    const isCarried = names.some(({ type, value }) =>
      type === "uri"
        ? carried.includes(`URI:${value}`)
        : carried.includes(`DNS:${value}`) ||
          (!value.startsWith("*.") && checkServerIdentity(value, certificate) === undefined),
    );
    if (isCarried) return undefined;
    return new Error("the backend's certificate carries none of the names that the policy lists");
  }
}

function problemOf(error: Error): string {
  const { code, message } = causeOf(error);
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") return "the backend's certificate is for another name";
  if (/SELF_SIGNED|UNABLE_TO|CERT_/.test(code)) return `the backend's certificate is not trusted (${code})`;
  return code === "" ? message : handshakeProblem(error)[1];
}

/** What the operating system trusts, where this Node can tell; else what Node itself trusts (undefined). */
function systemRoots(): string[] | undefined {
  const read: unknown = Reflect.get(nodeTls, "getCACertificates");
  if (typeof read !== "function") return undefined;
  const roots: unknown = Reflect.apply(read, undefined, ["system"]);
  const list = Array.isArray(roots) ? roots.filter((one): one is string => typeof one === "string") : [];
  return list.length === 0 ? undefined : list;
}

/** The parts of Node's text form of the extension: "DNS:a.b, URI:spiffe://c"; odd values are in JSON quotes. */
function subjectAltNames(text: string): readonly string[] {
  return [...text.matchAll(/(\w[\w ]*):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g)].map(([, kind = "", value = ""]) =>
    value.startsWith('"') ? `${kind}:${String(JSON.parse(value))}` : `${kind}:${value}`,
  );
}
