// TLS to backends outside the mesh, as the model says it.

import { RipstopError } from "@ripstop/core";
import { SubjectAltName_Type, type BackendTls, type KeyPair } from "@ripstop/model";
import { BackendTlsDialer } from "@ripstop/net";
import { failLater, type BackendDialer } from "./connector.ts";

/** A dialer by these rules; one that always fails, and says why, when they cannot be used: never plain bytes instead. */
export function newBackendDialer(tls: BackendTls, certificate?: KeyPair): BackendDialer {
  const { hostname, rootsPem, subjectAltNames, invalid, source } = tls;
  if (invalid !== "") return { dial: (_options, events) => failLater(events, `${source}: ${invalid}`) };
  try {
    return new BackendTlsDialer({
      hostname,
      rootsPem,
      names: subjectAltNames.map(({ type, value }) => ({
        type: type === SubjectAltName_Type.URI ? "uri" : "dns",
        value,
      })),
      ...(certificate === undefined ? {} : { certificate }),
    });
  } catch (error) {
    const cause = error instanceof RipstopError || error instanceof Error ? error.message : String(error);
    return { dial: (_options, events) => failLater(events, `${source}: ${cause}`) };
  }
}
