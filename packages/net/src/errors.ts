// What can go wrong when opening sockets, as users meet it (RS50xx).

import { defineError, type ErrorKind } from "@ripstop/core";

/** Another process listens on the port or socket. */
export const ADDRESS_TAKEN: ErrorKind = defineError({
  code: "RS5001",
  name: "address_taken",
  status: 500,
  grpcStatus: 13,
  title: "the address to listen on is taken",
  cause: "Another process, often an earlier run, listens on the same port or socket.",
  remedy: "Stop that process (ss -ltnp shows it) or choose another port.",
});

/** The operating system does not allow listening there. */
export const ADDRESS_FORBIDDEN: ErrorKind = defineError({
  code: "RS5002",
  name: "address_forbidden",
  status: 500,
  grpcStatus: 13,
  title: "not allowed to listen on the address",
  cause: "Ports below 1024 and sockets in folders of others need privileges.",
  remedy: "Choose a port above 1023, or grant CAP_NET_BIND_SERVICE.",
});

/** The address is not one of this machine's. */
export const ADDRESS_UNAVAILABLE: ErrorKind = defineError({
  code: "RS5003",
  name: "address_unavailable",
  status: 500,
  grpcStatus: 13,
  title: "the address to listen on does not belong to this machine",
  cause: "The host name resolves to another machine, or the interface is down or has no IPv6.",
  remedy: "Listen on an address that `ip addr` shows, on 127.0.0.1 or on 0.0.0.0.",
});

/** Any other failure of listening. */
export const LISTEN_FAILED: ErrorKind = defineError({
  code: "RS5004",
  name: "listen_failed",
  status: 500,
  grpcStatus: 13,
  title: "listening failed",
  cause: "The operating system refused; its own words are in the message.",
  remedy: "Check limits (ulimit -n), the path's length (at most 107 bytes) and free disk space.",
});

/** A certificate, key or bundle cannot be used. */
export const UNUSABLE_IDENTITY: ErrorKind = defineError({
  code: "RS5010",
  name: "unusable_identity",
  status: 500,
  grpcStatus: 13,
  title: "a certificate, key or trust bundle cannot be used",
  cause: "The PEM text is damaged, or the key does not belong to the certificate.",
  remedy: "Let the identity be issued again; check that no other program writes to the state folder.",
});
