// A client of etcd's v3 API over gRPC: what the store needs of it, on whichever of several endpoints answers.

import {
  Client,
  credentials,
  status,
  type ChannelCredentials,
  type ClientDuplexStream,
  type ServiceError,
} from "@grpc/grpc-js";

import type { Clock } from "@ripstop/core";
import { etcd } from "@ripstop/model";

/** How to reach etcd. */
export interface EtcdOptions {
  /** "http://HOST:PORT" or "https://HOST:PORT" of each member; tried in turn. */
  readonly endpoints: readonly string[];
  /** PEM. Certificate authority of the members; default: those of the system. */
  readonly caPem?: string;
  /** PEM. Certificate and key of this client. */
  readonly certificatePem?: string;
  readonly keyPem?: string;
  readonly clock: Clock;
}

/** A watch that goes on until it is cancelled or fails. */
export interface EtcdWatch {
  cancel(): void;
}

interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** A method of etcd's API that asks once and answers once. */
interface UnaryCall<In, Out> {
  readonly path: string;
  readonly input: Codec<In>;
  readonly output: Codec<Out>;
  /** Asking twice does no harm. */
  readonly repeatable: boolean;
}

const CALL_TIMEOUT_MS = 5_000;
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024;

/** etcd could not be asked. */
export class EtcdError extends Error {
  /** The request may have been carried out all the same. */
  readonly uncertain: boolean;

  constructor(message: string, uncertain: boolean) {
    super(message);
    this.uncertain = uncertain;
  }
}

/** Calls etcd. */
export class EtcdClient {
  readonly #options: EtcdOptions;
  readonly #members: readonly Client[];
  /** Index of the member that is asked, modulo their number. */
  #preferred = 0;
  /** How to end each watch, and the value of `#preferred` that it was started with. */
  readonly #watches = new Map<(reason: string) => void, number>();

  /** Throws when an endpoint is not a URL of http or https. */
  constructor(options: EtcdOptions) {
    this.#options = options;
    this.#members = options.endpoints.map((endpoint) => {
      const url = new URL(endpoint);
      if (url.protocol !== "http:" && url.protocol !== "https:") throw new Error(`${endpoint} is no http(s) address`);
      return new Client(url.host, this.#credentials(url), {
        "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
        "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
        // A member that is cut off by the network is noticed within seconds, should no call have noticed it before.
        // etcd closes the connection of a client that pings more often than every 5 s (--grpc-keepalive-min-time).
        "grpc.keepalive_time_ms": 6_000,
        "grpc.keepalive_timeout_ms": 2_000,
        "grpc.initial_reconnect_backoff_ms": 100,
        "grpc.max_reconnect_backoff_ms": 1_000,
      });
    });
  }

  /** Reads keys; linearizable. Each member gets `timeoutMs` to answer, default 5 s. */
  range(request: etcd.RangeRequest, timeoutMs: number = CALL_TIMEOUT_MS): Promise<etcd.RangeResponse> {
    const path = "/etcdserverpb.KV/Range";
    return this.#unary(
      { path, input: etcd.RangeRequest, output: etcd.RangeResponse, repeatable: true },
      request,
      timeoutMs,
    );
  }

  /** Compares, and does the one or the other, in one step. Fails with `uncertain` when it may have happened. */
  txn(request: etcd.TxnRequest): Promise<etcd.TxnResponse> {
    const path = "/etcdserverpb.KV/Txn";
    return this.#unary({ path, input: etcd.TxnRequest, output: etcd.TxnResponse, repeatable: false }, request);
  }

  /** Makes a lease of an id that the caller chose (below 2^53); fails when it exists. */
  grantLease(id: number, ttlSeconds: number, timeoutMs: number): Promise<etcd.LeaseGrantResponse> {
    const path = "/etcdserverpb.Lease/LeaseGrant";
    const call = { path, input: etcd.LeaseGrantRequest, output: etcd.LeaseGrantResponse, repeatable: false };
    return this.#unary(call, { id, ttl: ttlSeconds }, timeoutMs);
  }

  /** Ends a lease, and with it the keys that were put under it. */
  revokeLease(id: number, timeoutMs: number): Promise<etcd.LeaseRevokeResponse> {
    const path = "/etcdserverpb.Lease/LeaseRevoke";
    const call = { path, input: etcd.LeaseRevokeRequest, output: etcd.LeaseRevokeResponse, repeatable: false };
    return this.#unary(call, { id }, timeoutMs);
  }

  /** Renews a lease; the seconds that it lives on, 0 when it is gone. */
  async renewLease(id: number, timeoutMs: number): Promise<number> {
    let last = new EtcdError("no endpoint was given", false);
    for (let attempt = 0; attempt < this.#members.length; attempt++) {
      const asked = this.#preferred;
      const client = this.#member(asked);
      if (client === undefined) break;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one endpoint after the other
        return await this.#renewOn(client, id, timeoutMs);
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        last = error;
        this.#moveOnFrom(asked, error.message);
      }
    }
    throw last;
  }

  #renewOn(client: Client, id: number, timeoutMs: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const stream: ClientDuplexStream<etcd.LeaseKeepAliveRequest, etcd.LeaseKeepAliveResponse> =
        client.makeBidiStreamRequest(
          "/etcdserverpb.Lease/LeaseKeepAlive",
          (message) => asBuffer(etcd.LeaseKeepAliveRequest.encode(message).finish()),
          (bytes) => etcd.LeaseKeepAliveResponse.decode(bytes),
          { deadline: this.#options.clock.nowMs() + timeoutMs },
        );
      stream.on("data", ({ ttl }: etcd.LeaseKeepAliveResponse) => {
        resolve(ttl);
        stream.cancel();
      });
      stream.on("error", (error) => reject(new EtcdError(error.message, true)));
      stream.on("end", () => reject(new EtcdError("etcd ended the stream", true)));
      stream.write({ id });
    });
  }

  /** All events on keys from `key` up to `rangeEnd` from a revision of etcd on. `onEnd` is called once, unless cancelled. */
  watch(
    range: { readonly key: Buffer; readonly rangeEnd: Buffer; readonly startRevision: number },
    onResponse: (response: etcd.WatchResponse) => void,
    onEnd: (reason: string) => void,
  ): EtcdWatch {
    const watched = this.#preferred;
    const client = this.#member(watched);
    if (client === undefined) throw new Error("no endpoint");
    const stream: ClientDuplexStream<etcd.WatchRequest, etcd.WatchResponse> = client.makeBidiStreamRequest(
      "/etcdserverpb.Watch/Watch",
      (message) => asBuffer(etcd.WatchRequest.encode(message).finish()),
      (bytes) => etcd.WatchResponse.decode(bytes),
    );
    let over = false;
    const end = (reason: string): void => {
      if (over) return;
      over = true;
      this.#watches.delete(end);
      this.#moveOnFrom(watched, reason);
      stream.cancel();
      onEnd(reason);
    };
    this.#watches.set(end, watched);
    stream.on("data", (response: etcd.WatchResponse) => {
      if (!over) onResponse(response);
    });
    stream.on("error", (error) => end(error.message));
    stream.on("end", () => end("etcd ended the watch"));
    stream.write({
      requestUnion: {
        $case: "createRequest",
        value: { ...range, progressNotify: false, fragment: true },
      },
    });
    return {
      cancel: () => {
        over = true;
        this.#watches.delete(end);
        stream.cancel();
      },
    };
  }

  close(): void {
    for (const client of this.#members) client.close();
  }

  #credentials(url: URL): ChannelCredentials {
    if (url.protocol === "http:") return credentials.createInsecure();
    const { caPem, certificatePem, keyPem } = this.#options;
    const pem = (text: string | undefined): Buffer | null => (text === undefined ? null : Buffer.from(text));
    return credentials.createSsl(pem(caPem), pem(keyPem), pem(certificatePem));
  }

  /** Asks the endpoint that answered last; what is repeatable moves on to the next one when that does not answer. */
  async #unary<In, Out>(call: UnaryCall<In, Out>, request: In, timeoutMs: number = CALL_TIMEOUT_MS): Promise<Out> {
    let last: EtcdError | undefined;
    for (let attempt = 0; attempt < this.#members.length; attempt++) {
      const asked = this.#preferred;
      const client = this.#member(asked);
      if (client === undefined) break;
      try {
        // oxlint-disable-next-line no-await-in-loop -- one endpoint after the other
        return await this.#once(client, call, request, timeoutMs);
      } catch (error) {
        if (!(error instanceof EtcdError)) throw error;
        last = error;
        this.#moveOnFrom(asked, error.message);
        if (!call.repeatable) break;
      }
    }
    throw last ?? new EtcdError("no endpoint was given", false);
  }

  #member(index: number): Client | undefined {
    return this.#members[index % this.#members.length];
  }

  /** A member did not answer: the next one is asked from now on, unless that was said before, and watched. */
  #moveOnFrom(asked: number, reason: string): void {
    if (this.#preferred === asked) this.#preferred++;
    if (this.#members.length === 1) return;
    for (const [end, watched] of this.#watches) if (watched <= asked) end(reason);
  }

  #once<In, Out>(client: Client, call: UnaryCall<In, Out>, request: In, timeoutMs: number): Promise<Out> {
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest<In, Out>(
        call.path,
        (message) => asBuffer(call.input.encode(message).finish()),
        (bytes) => call.output.decode(bytes),
        request,
        { deadline: this.#options.clock.nowMs() + timeoutMs },
        (error: ServiceError | null, value?: Out) => {
          if (error === null && value !== undefined) resolve(value);
          else reject(new EtcdError(error?.details ?? "no answer", error?.code !== status.INVALID_ARGUMENT));
        },
      );
    });
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
