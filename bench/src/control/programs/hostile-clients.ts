// Clients of the config stream that mean no good, under valid SVIDs: one never acknowledges, one asks for everything, one
// says that it is somebody else. Started by fork; on any message it tells what became of them.

import { systemClock } from "@ripstop/core";
import { ControlConnection, GrpcStream } from "@ripstop/discovery/client";
import { createPeerVerification } from "@ripstop/identity";
import { discovery, endpointsType, serviceType } from "@ripstop/model";
import { hostileId, serviceName, type MeshShape } from "../mesh-shape.ts";
import type { ProxyFiles } from "./simulated-proxies.ts";

/** What became of them so far. */
export interface HostileOutcome {
  /** Responses that the one that never acknowledges was sent on its stream. */
  readonly neverAcknowledges: number;
  /** Resources that the one that asks for everything was sent, its streams that were ended, and the last reason. */
  readonly everything: { readonly resources: number; readonly ended: number; readonly reason: string };
  /** Streams under another's id that were ended, resources that they got, and the last reason. */
  readonly thief: { readonly ended: number; readonly resources: number; readonly reason: string };
}

/** What the parent says first. */
export interface HostileStart {
  readonly files: ProxyFiles;
  readonly shape: MeshShape;
}

const PATH = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const NAMES_PER_REQUEST = 5_000;
const verifyPeer = createPeerVerification(systemClock);

interface Behaviour {
  readonly nodeId: string;
  readonly acknowledges: boolean;
  requests(): Iterable<readonly [typeUrl: string, names: readonly string[]]>;
}

class Hostile {
  responses = 0;
  resources = 0;
  ended = 0;
  reason = "";

  constructor(files: ProxyFiles, { nodeId, acknowledges, requests }: Behaviour) {
    const connection = new ControlConnection({
      addresses: [files.address],
      controlIdentity: files.controlIdentity,
      files,
      verifyPeer,
      clock: systemClock,
    });
    connection.use({
      onSession: (session) => {
        const stream = new GrpcStream(
          session,
          PATH,
          {},
          {
            onMessage: (bytes) => {
              const { typeUrl, nonce, resources } = discovery.DeltaDiscoveryResponse.decode(bytes);
              this.responses++;
              this.resources += resources.length;
              if (acknowledges) stream.send(encode({ typeUrl, responseNonce: nonce }));
            },
            onDrain: () => undefined,
            onEnd: (status, message) => {
              this.ended++;
              this.reason = `${status} ${message}`;
              connection.fail("the stream ended");
            },
          },
        );
        for (const [typeUrl, names] of requests())
          stream.send(encode({ node: { id: nodeId, cluster: "" }, typeUrl, resourceNamesSubscribe: [...names] }));
      },
      onSessionLost: () => undefined,
    });
    connection.start();
  }
}

function encode(parts: Partial<discovery.DeltaDiscoveryRequest>): Uint8Array {
  return discovery.DeltaDiscoveryRequest.encode({
    node: undefined,
    typeUrl: "",
    resourceNamesSubscribe: [],
    resourceNamesUnsubscribe: [],
    initialResourceVersions: {},
    responseNonce: "",
    errorDetail: undefined,
    stateChecksum: undefined,
    seenRevision: 0,
    ...parts,
  }).finish();
}

function* everything({ services }: MeshShape): Iterable<readonly [string, readonly string[]]> {
  const names = Array.from({ length: services }, (_, service) => serviceName(service));
  for (const { typeUrl } of [endpointsType, serviceType]) {
    for (let at = 0; at < names.length; at += NAMES_PER_REQUEST)
      yield [typeUrl, names.slice(at, at + NAMES_PER_REQUEST)];
  }
  // Names that do not exist cost as much as those that do.
  for (let at = 0; at < 10; at++)
    yield [endpointsType.typeUrl, Array.from({ length: NAMES_PER_REQUEST }, (_, name) => `none/x${at}-${name}`)];
}

let clients: { readonly silent: Hostile; readonly greedy: Hostile; readonly thief: Hostile } | undefined;

process.on("message", (message: HostileStart | "outcome") => {
  if (message !== "outcome") {
    const { files, shape } = message;
    const some = [[endpointsType.typeUrl, Array.from({ length: 20 }, (_, service) => serviceName(service))]] as const;
    clients = {
      silent: new Hostile(files, { nodeId: hostileId(0), acknowledges: false, requests: () => some }),
      greedy: new Hostile(files, { nodeId: hostileId(1), acknowledges: true, requests: () => everything(shape) }),
      thief: new Hostile(files, { nodeId: "n0/s1-0", acknowledges: true, requests: () => some }),
    };
    return;
  }
  if (clients === undefined) return;
  const { silent, greedy, thief } = clients;
  process.send?.({
    neverAcknowledges: silent.responses,
    everything: { resources: greedy.resources, ended: greedy.ended, reason: greedy.reason },
    thief: { resources: thief.resources, ended: thief.ended, reason: thief.reason },
  } satisfies HostileOutcome);
});
process.on("disconnect", () => process.exit(0));
