// Starts the API: its routes, and where it is served: a Unix socket, the dashboard, TLS, and the bundle endpoint.

import { join } from "node:path";

import { ok, type Result } from "@ripstop/core";
import { formatBundle } from "@ripstop/identity/jwt";
import { KindRegistry } from "@ripstop/resources";

import { allKinds } from "../all-kinds.ts";
import { listenOnLoopback, listenOnSocket, type ApiListener, type ApiServerOptions } from "../api/api-server.ts";
import { openAccess, type ApiAccess } from "../api/open-access.ts";
import type { Route } from "../api/router.ts";
import { StaticFiles } from "../api/static-files.ts";
import type { Failure } from "../failure.ts";
import { startBundleEndpoint } from "../federation/bundle-endpoint.ts";
import { onPort } from "../on-port.ts";
import { controlRoutes, type ControlParts } from "./control-routes.ts";
import { given, type Ground } from "./ground.ts";

/** Where the API is served. */
export interface ControlApi {
  readonly routes: readonly Route[];
  readonly apiSocket: string;
  readonly dashboardUrl: string;
  readonly dashboardPort: number;
  /** "HOST:PORT" of the API over TLS; undefined when it is off. */
  readonly apiAddress: string | undefined;
  /** Undefined when the bundle endpoint is off. */
  readonly bundleEndpointUrl: string | undefined;
}

/** Serves the API wherever the options say. */
export async function startApi(ground: Ground, parts: ControlParts): Promise<Result<ControlApi, Failure>> {
  const { options, undo, notices, memory, store } = ground;
  const kinds = new KindRegistry(allKinds);
  const access = openAccess({
    store,
    kinds,
    clock: options.clock,
    version: options.version,
    mesh: parts.streams,
    log: parts.audit,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  undo.push(() => access.close());
  let dashboardUrl = "";
  const routes = controlRoutes(ground, parts, { kinds, access, dashboardUrl: () => dashboardUrl });
  const api = { routes, logger: options.logger, audit: access.audit };
  const files = options.dashboardDirectory === undefined ? undefined : new StaticFiles(options.dashboardDirectory);
  const wantedDashboard = options.dashboardPort ?? memory.dashboardPort ?? 0;
  const dashboard = await onPort<ApiListener>({ port: wantedDashboard }, "dashboard", notices, (port) =>
    listenOnLoopback(port, files, api),
  );
  if (!dashboard.ok) return dashboard;
  undo.push(() => dashboard.value.close());
  dashboardUrl = `http://127.0.0.1:${dashboard.value.port}/`;
  const apiSocket = join(options.home, "control.sock");
  const socket = await listenOnSocket(apiSocket, api);
  if (!socket.ok) return socket;
  undo.push(() => socket.value.close());

  const apiAddress = await serveTls(ground, parts, { access, api });
  if (!apiAddress.ok) return apiAddress;
  const bundleEndpointUrl = await serveBundle(ground, parts);
  if (!bundleEndpointUrl.ok) return bundleEndpointUrl;
  return ok({
    routes,
    apiSocket,
    dashboardUrl,
    dashboardPort: dashboard.value.port,
    apiAddress: apiAddress.value,
    bundleEndpointUrl: bundleEndpointUrl.value,
  });
}

/** Over TLS, to callers with a token, when it is wanted. */
async function serveTls(
  { options, undo }: Ground,
  { authority, own }: ControlParts,
  { access, api }: { readonly access: ApiAccess; readonly api: ApiServerOptions },
): Promise<Result<string | undefined, Failure>> {
  if (options.api === undefined) return ok(undefined);
  const { address, files: pem } = options.api;
  const rootsPem = (): string => authority.bundle().pem;
  const certificate =
    pem === undefined ? { source: "svid" as const, own, rootsPem } : { source: "files" as const, ...pem };
  const serving = await access.listen(address, certificate, api);
  if (!serving.ok) return serving;
  undo.push(() => serving.value.close());
  return ok(serving.value.address);
}

/** The own bundle, to other trust domains, when it is wanted. */
async function serveBundle(
  { options, undo }: Ground,
  { own, bundles }: ControlParts,
): Promise<Result<string | undefined, Failure>> {
  if (options.bundleEndpoint === undefined) return ok(undefined);
  const { address, web } = options.bundleEndpoint;
  const serving = await startBundleEndpoint({
    address,
    proof: web === undefined ? { profile: "https_spiffe", identity: own } : { profile: "https_web", ...web },
    clock: options.clock,
    document: () => formatBundle(bundles.own),
    ...given(options),
  });
  if (!serving.ok) return serving;
  undo.push(() => serving.value.close());
  return ok(serving.value.url);
}
