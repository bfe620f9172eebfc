// Puts the parts of access to the API together: tokens, logins, the audit log, what namespaces may have, the TLS listener.

import type { Clock, Result } from "@ripstop/core";
import type { KindRegistry } from "@ripstop/resources";

import type { Failure } from "../failure.ts";
import type { HostAndPort } from "../on-port.ts";
import type { MeshStreams } from "../replicas/mesh-streams.ts";
import type { Store } from "../store/store.ts";
import { AccessTokens, type AccessTokenRecord } from "./access/access-tokens.ts";
import { BearerDoor } from "./access/front-door.ts";
import { OidcLogins } from "./access/oidc-logins.ts";
import { accessRoutes } from "./access-routes.ts";
import type { ApiServerOptions } from "./api-server.ts";
import { listenOnTls, type ApiCertificate, type ApiTlsListener } from "./api-tls.ts";
import type { AuditLog } from "./audit/audit-log.ts";
import { CallAudit } from "./audit/call-audit.ts";
import { ResourceLedger, type ResourceLimits } from "./resources/resource-ledger.ts";
import type { Route } from "./router.ts";

/** What access needs. */
export interface AccessOptions {
  readonly store: Store;
  readonly kinds: KindRegistry;
  readonly clock: Clock;
  /** Of the program. */
  readonly version: string;
  /** The other control planes. */
  readonly mesh: MeshStreams;
  readonly log: AuditLog;
  readonly limits?: ResourceLimits;
}

/** Access to the API. */
export interface ApiAccess {
  readonly audit: CallAudit;
  readonly ledger: ResourceLedger;
  /** For tokens, the caller and the audit log. */
  readonly routes: readonly Route[];
  /** Serves the API over TLS to who has a token. */
  listen(
    address: HostAndPort,
    certificate: ApiCertificate,
    api: ApiServerOptions,
  ): Promise<Result<ApiTlsListener, Failure>>;
  close(): void;
}

/** Opens the tables and files of access. */
export function openAccess({ store, kinds, clock, version, mesh, log, limits }: AccessOptions): ApiAccess {
  const tokens = new AccessTokens({ clock, table: store.table<AccessTokenRecord>("access-tokens") });
  const ledger = new ResourceLedger(store, kinds, limits);
  const door = new BearerDoor({ clock, tokens, logins: new OidcLogins(store, clock) });
  let apiAddress = "";
  return {
    audit: new CallAudit(log, clock),
    ledger,
    routes: accessRoutes({ tokens, audit: log, mesh, apiAddress: () => apiAddress, kinds, version }),
    async listen(address, certificate, api) {
      const listener = await listenOnTls({ ...api, address, certificate, door, clock });
      if (listener.ok) apiAddress = listener.value.address;
      return listener;
    },
    close: () => ledger.close(),
  };
}
