// The SPIFFE bundle endpoint (SPIFFE Federation §5): serves the own bundle to other trust domains over HTTPS, with the
// control plane's own SVID (https_spiffe) or with certificate files of the Web PKI (https_web).

import { readFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import type { KeyedSvid, OwnIdentity } from "@ripstop/identity/authority";
import type { Logger } from "@ripstop/telemetry";

import { badRequest, listenFailed } from "../errors.ts";
import type { Failure } from "../failure.ts";

/** How the endpoint proves who it is. */
export type BundleEndpointProof =
  | { readonly profile: "https_spiffe"; readonly identity: OwnIdentity }
  /** PEM files, read again when they change. */
  | { readonly profile: "https_web"; readonly certificateFile: string; readonly keyFile: string };

/** How to serve. */
export interface BundleEndpointOptions {
  /** "HOST:PORT"; port 0 is a free one. */
  readonly address: string;
  readonly proof: BundleEndpointProof;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** The present document. */
  document(): string;
}

/** An endpoint that listens. */
export interface BundleEndpoint {
  readonly url: string;
  close(): Promise<void>;
}

const ADDRESS = /^(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]{1,253})):([0-9]{1,5})$/;
const LOOK_AT_FILES_MS = 30_000;
const MAX_CONNECTIONS = 256;
const MAX_HEADER_BYTES = 8 * 1024;

/** Listens; fails with RS3012 on an address that is none, with RS3022 when files or address are not usable. */
export async function startBundleEndpoint(options: BundleEndpointOptions): Promise<Result<BundleEndpoint, Failure>> {
  const match = ADDRESS.exec(options.address);
  if (match === null) return err({ kind: badRequest, message: `${JSON.stringify(options.address)} is not HOST:PORT` });
  const host = match[1] ?? match[2] ?? "";
  const credentials = read(options.proof);
  if (!credentials.ok) return err({ kind: listenFailed, message: credentials.error });
  let server: Server;
  try {
    server = createServer(
      { ...credentials.value, minVersion: "TLSv1.2", maxHeaderSize: MAX_HEADER_BYTES },
      (request, response) => answer(request, response, options),
    );
  } catch (error) {
    return err({ kind: listenFailed, message: `the endpoint's certificate: ${wordsOf(error)}` });
  }
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = 10_000;
  server.requestTimeout = 10_000;
  server.keepAliveTimeout = 5_000;
  const listened = await listen(server, host, Number(match[3]));
  if (!listened.ok) return listened;
  const stop = follow(server, options);
  const { port } = server.address() as AddressInfo;
  return ok({
    url: `https://${host.includes(":") ? `[${host}]` : host}:${port}/`,
    close() {
      stop();
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  });
}

function answer(request: IncomingMessage, response: ServerResponse, options: BundleEndpointOptions): void {
  response.on("error", () => undefined);
  const path = (request.url ?? "/").split("?")[0];
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { allow: "GET, HEAD", "content-length": 0, connection: "close" }).end();
    return;
  }
  if (path !== "/" && path !== "/bundle.json") {
    response.writeHead(404, { "content-length": 0 }).end();
    return;
  }
  const text = options.document();
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}

interface Credentials {
  readonly cert: string;
  readonly key: string;
}

/** Uses new certificates as they come; connections that are open stay. */
function follow(server: Server, { proof, clock, logger }: BundleEndpointOptions): () => void {
  const use = (credentials: Credentials): void => {
    try {
      server.setSecureContext({ ...credentials, minVersion: "TLSv1.2" });
    } catch (error) {
      logger?.error("the bundle endpoint's new certificate is not usable; the old one stays", {
        cause: wordsOf(error),
      });
    }
  };
  if (proof.profile === "https_spiffe") return proof.identity.watch((svid) => use(keyed(svid)));
  let before = JSON.stringify(read(proof));
  const timer = clock.every(LOOK_AT_FILES_MS, () => {
    const now = read(proof);
    const text = JSON.stringify(now);
    if (text === before) return;
    before = text;
    if (now.ok) use(now.value);
    else logger?.error("the bundle endpoint's certificate cannot be read; the old one stays", { cause: now.error });
  });
  return () => timer.clear();
}

function read(proof: BundleEndpointProof): Result<Credentials, string> {
  if (proof.profile === "https_spiffe") return ok(keyed(proof.identity.current));
  try {
    return ok({ cert: readFileSync(proof.certificateFile, "utf8"), key: readFileSync(proof.keyFile, "utf8") });
  } catch (error) {
    return err(wordsOf(error));
  }
}

function keyed({ chainPem, keyPem }: KeyedSvid): Credentials {
  return { cert: chainPem, key: keyPem };
}

function listen(server: Server, host: string, port: number): Promise<Result<undefined, Failure>> {
  return new Promise((resolve) => {
    const failed = (error: Error): void =>
      resolve(err({ kind: listenFailed, message: `${host}:${port}: ${error.message}` }));
    server.once("error", failed);
    if (port > 65_535) {
      failed(new Error("a port is at most 65535"));
      return;
    }
    server.listen({ host, port }, () => {
      server.off("error", failed);
      server.on("error", () => undefined);
      resolve(ok(undefined));
    });
  });
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
