// A Gateway as its proxies get it: only what they can open.

import { ClientValidation_Mode, GatewayListener_Kind, type Gateway, type GatewayListener } from "@ripstop/model";

import type { PemKeyPair } from "./certificates.ts";
import type { JudgedListener } from "./judge-listener.ts";
import type { GatewayView } from "./judge.ts";
import { EGRESS_PROTOCOL } from "./spec.ts";

/** The model's Gateway, without listeners that are not programmed. */
export function compileGateway(view: GatewayView): Gateway {
  const { namespace, name, listeners, addresses, backendClientCertificate, trustsPriority } = view;
  return {
    name: `${namespace}/${name}`,
    listeners: listeners.filter(({ isProgrammed }) => isProgrammed).map(compileListener),
    addresses: addresses.map(({ value }) => value),
    policies: [],
    ...(backendClientCertificate === undefined ? {} : { backendClientCertificate: keyPair(backendClientCertificate) }),
    ...(trustsPriority === true ? { trustRequestPriority: true } : {}),
  };
}

function compileListener(listener: JudgedListener): GatewayListener {
  const { key, port, hostname, certificates, validation } = listener;
  return {
    name: key,
    port,
    kind: kindOf(listener),
    hostname,
    certificates: certificates.map(keyPair),
    ...(validation === undefined
      ? {}
      : {
          clientValidation: {
            rootsPem: validation.rootsPem,
            mode:
              validation.mode === "AllowInsecureFallback"
                ? ClientValidation_Mode.ALLOW_INSECURE_FALLBACK
                : ClientValidation_Mode.ALLOW_VALID_ONLY,
          },
        }),
  };
}

function kindOf({ protocol, mode }: JudgedListener): GatewayListener_Kind {
  switch (protocol) {
    case "HTTP":
      return GatewayListener_Kind.HTTP;
    case "HTTPS":
      return GatewayListener_Kind.HTTPS;
    case "TLS":
      return mode === "Passthrough" ? GatewayListener_Kind.TLS_PASSTHROUGH : GatewayListener_Kind.TLS_TERMINATE;
    case "TCP":
      return GatewayListener_Kind.TCP;
    case "UDP":
      return GatewayListener_Kind.UDP;
    case EGRESS_PROTOCOL:
      return GatewayListener_Kind.EGRESS;
    default:
      return GatewayListener_Kind.UNSPECIFIED;
  }
}

function keyPair({ chainPem, keyPem }: PemKeyPair): { chainPem: string; keyPem: string } {
  return { chainPem, keyPem };
}
