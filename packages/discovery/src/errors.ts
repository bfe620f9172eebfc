// The errors of the config stream.

import { defineError, type ErrorKind } from "@ripstop/core";

export const streamNotAuthorized: ErrorKind = defineError({
  code: "RS5301",
  name: "stream_not_authorized",
  status: 403,
  grpcStatus: 7,
  title: "The proxy may not use that id",
  cause:
    "The SVID of the connection is not the identity that the proxy id is registered with, or the id is not registered.",
  remedy: "Start the workload with `ripstop run`, which registers it; a proxy that was left out joins anew.",
});

export const streamLimitExceeded: ErrorKind = defineError({
  code: "RS5302",
  name: "stream_limit_exceeded",
  status: 429,
  grpcStatus: 8,
  title: "The stream asks for more than its limits",
  cause: "Too many names in one request, too many subscriptions, too many types, or a name that is too long.",
  remedy: "A proxy subscribes to what its workloads call; look for a client that walks through names.",
});

export const streamPeerRefused: ErrorKind = defineError({
  code: "RS5303",
  name: "stream_peer_refused",
  status: 401,
  grpcStatus: 16,
  title: "The peer on the config stream has no valid identity",
  cause: "Its certificate is not an X.509-SVID of this mesh, or not that of the control plane.",
  remedy: "Check that both belong to the same mesh, and their clocks.",
});

export const streamListenFailed: ErrorKind = defineError({
  code: "RS5304",
  name: "stream_listen_failed",
  status: 500,
  grpcStatus: 13,
  title: "The config stream's address cannot be listened on",
  cause: "Another program has the port, or the address is not one of this machine.",
  remedy: "Choose another port, or 0 for a free one.",
});

export const cacheUnusable: ErrorKind = defineError({
  code: "RS5305",
  name: "config_cache_unusable",
  status: 500,
  grpcStatus: 13,
  title: "The config cache on disk is damaged and was left aside",
  cause: "The disk was full, or the file was changed by another program.",
  remedy: "Nothing: it is written anew as soon as the control plane is reached.",
});

export const streamBehind: ErrorKind = defineError({
  code: "RS5306",
  name: "config_stream_behind",
  status: 503,
  grpcStatus: 14,
  title: "This control plane is behind the proxy",
  cause:
    "The proxy has config of a newer revision, from another control plane; this one has not caught up with the shared store.",
  remedy:
    "Nothing: the proxy tries the next control plane, and keeps what it has meanwhile. If it lasts, see what cuts this one off from etcd (`ripstop status`).",
});
