// A copy of a request on its way to a mirror: sent while the request itself is, and its answer is read by nobody. It
// never holds the request back: what the mirror does not take in time is bounded, and then given up.

import { StreamErrorCode, type HeaderList, type RequestHead, type ResponseHead } from "@ripstop/http";
import { WheelTimer } from "@ripstop/net";
import { Protocol } from "@ripstop/model";
import { metricNames } from "@ripstop/telemetry";
import type { MirrorCopy } from "../5-filter/applied-filters.ts";
import { declareHttp2, removeOutboundFields } from "../5-filter/request-duties.ts";
import type { Cluster } from "../6-balance/cluster.ts";
import type { UpstreamEndpoint } from "../6-balance/upstream-endpoint.ts";
import type { Engine } from "../engine.ts";
import type { AnswerWatch } from "../mirror/mirror-comparison.ts";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import { isGrpc } from "./local-reply.ts";

/** Copies under way in one proxy; beyond it none are made. */
const MAX_MIRRORED = 1_000;
/** Body bytes that wait for one mirror. */
const MAX_WAITING = 64 * 1024;
/** From the request's arrival to the end of the mirror's answer. */
/** A copy has no place of its own: it goes anywhere. */
const NOBODY = { address: "", identity: "" };
const TIME_LIMIT_MS = 30_000;

/** Counts one copy by where it went and what became of it: a status class, "failed", or "dropped" by the proxy. */
function countMirrored(engine: Engine, destination: string, result: string): void {
  engine.metrics.counter(metricNames.MIRRORED.name, metricNames.MIRRORED.help, { destination, result }).add(1);
}

/**
 * Copies ready to start, one for each of `copies` that can be made now; the others are counted as dropped. `find` gives
 * the cluster of a service, or undefined when its mirror cannot have the whole request.
 */
export function mirroredRequests(
  engine: Engine,
  copies: readonly MirrorCopy[],
  { find, watch }: MirrorSources,
): MirroredRequest[] {
  const made: MirroredRequest[] = [];
  for (const { mirror, head } of copies) {
    const cluster = engine.live.mirrors < MAX_MIRRORED ? find(mirror.service) : undefined;
    if (cluster === undefined) countMirrored(engine, mirror.service, "dropped");
    else made.push(new MirroredRequest({ engine, cluster, port: mirror.port, watch: watch(mirror.service) }, head));
  }
  return made;
}

/** Where copies go, and who compares their answers. */
export interface MirrorSources {
  readonly find: (service: string) => Cluster | undefined;
  readonly watch: (service: string) => AnswerWatch;
}

/** What a copy is sent to. */
export interface MirrorTarget {
  readonly engine: Engine;
  readonly cluster: Cluster;
  /** Port of the service. */
  readonly port: number;
  /** Compares the answer. */
  readonly watch: AnswerWatch;
}

/** One copy. Made, started, then fed with the body. */
export class MirroredRequest implements AttemptOwner {
  readonly #target: MirrorTarget;
  readonly #head: RequestHead;
  readonly #timer: WheelTimer;
  #endpoint: UpstreamEndpoint | undefined = undefined;
  #attempt: Attempt | undefined = undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #blocked = false;
  #ended = false;
  #sentEnd = false;
  #trailers: HeaderList | undefined = undefined;
  #status = 0;
  #startedMs = 0;
  #over = false;

  constructor(target: MirrorTarget, head: RequestHead) {
    this.#target = target;
    this.#head = head;
    this.#timer = new WheelTimer(() => this.#finish("dropped", StreamErrorCode.CANCEL));
    target.engine.live.mirrors++;
  }

  /** Asks for a stream to one endpoint. The body may follow at once. */
  start(nowMs: number): void {
    this.#startedMs = nowMs;
    const { engine, cluster, port } = this.#target;
    const endpoint = cluster.pickFor(NOBODY, []);
    const targetPort = endpoint?.targetPort(port) ?? 0;
    if (endpoint === undefined || targetPort === 0) {
      this.#finish("failed", StreamErrorCode.CANCEL);
      return;
    }
    if (!endpoint.mesh) removeOutboundFields(this.#head);
    this.#endpoint = endpoint;
    endpoint.inflight++;
    engine.wheel.schedule(this.#timer, TIME_LIMIT_MS);
    const protocol = cluster.port(port)?.protocol ?? 0;
    if (endpoint.mesh && (protocol === Protocol.HTTP2 || protocol === Protocol.GRPC)) declareHttp2(this.#head);
    const pool = endpoint.pool(targetPort, protocol, isGrpc(this.#head));
    this.#attempt = new Attempt(this, pool, nowMs);
    pool.acquire(this.#attempt);
  }

  /** More of the body. The bytes are copied when they cannot leave at once. */
  body(buf: Buffer, start: number, end: number): void {
    if (this.#over) return;
    const stream = this.#attempt?.stream;
    if (stream !== undefined && !this.#blocked && this.#waiting.length === 0) {
      this.#blocked = !stream.sendBody(buf, start, end);
      return;
    }
    this.#waitingBytes += end - start;
    if (this.#waitingBytes > MAX_WAITING) {
      this.#finish("dropped", StreamErrorCode.CANCEL);
      return;
    }
    this.#waiting.push(Buffer.from(buf.subarray(start, end)));
  }

  /** The request is complete. */
  end(trailers: HeaderList | undefined): void {
    if (this.#over) return;
    this.#ended = true;
    this.#trailers = trailers;
    if (this.#waiting.length === 0) this.#sendEnd();
  }

  /** The rest of the request does not come. */
  cancel(): void {
    if (!this.#ended) this.#finish("dropped", StreamErrorCode.CANCEL);
  }

  attemptOpened(attempt: Attempt): void {
    const { stream } = attempt;
    if (stream === undefined || this.#over) return;
    const bare = this.#ended && this.#waiting.length === 0 && this.#trailers === undefined;
    this.#sentEnd = bare;
    stream.sendRequest(this.#head, bare);
    if (!bare) this.#flush();
  }

  attemptNotOpened(): void {
    this.#attempt = undefined;
    this.#finish("failed", StreamErrorCode.CANCEL);
  }

  attemptInformational(): void {}

  attemptResponse(_attempt: Attempt, head: ResponseHead, end: boolean): void {
    this.#status = head.status;
    if (end) this.#answered();
  }

  attemptBody(attempt: Attempt, buf: Buffer, start: number, end: number): void {
    this.#target.watch.body(buf, start, end);
    attempt.stream?.consumed(end - start);
  }

  attemptTrailers(): void {
    this.#answered();
  }

  attemptEnd(): void {
    this.#answered();
  }

  attemptWritable(): void {
    this.#blocked = false;
    this.#flush();
  }

  attemptReset(): void {
    this.#attempt = undefined;
    this.#finish("failed", StreamErrorCode.CANCEL);
  }

  #flush(): void {
    const stream = this.#attempt?.stream;
    if (stream === undefined) return;
    while (!this.#blocked && !this.#over) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#waitingBytes -= next.length;
      this.#blocked = !stream.sendBody(next, 0, next.length);
    }
    if (this.#ended && this.#waiting.length === 0) this.#sendEnd();
  }

  #sendEnd(): void {
    const stream = this.#attempt?.stream;
    if (stream === undefined || this.#over || this.#sentEnd) return;
    this.#sentEnd = true;
    if (this.#trailers === undefined) stream.sendEnd();
    else stream.sendTrailers(this.#trailers);
  }

  #answered(): void {
    this.#finish(`${Math.floor(this.#status / 100)}xx`, StreamErrorCode.NO_ERROR);
  }

  #finish(result: string, code: number): void {
    if (this.#over) return;
    this.#over = true;
    const { engine, cluster, watch } = this.#target;
    if (result === "dropped") watch.giveUp();
    else {
      const isWhole = result !== "failed";
      watch.end(isWhole ? this.#status : 0, engine.clock.monotonicMs() - this.#startedMs, isWhole);
    }
    engine.wheel.cancel(this.#timer);
    engine.live.mirrors--;
    this.#waiting = [];
    if (this.#endpoint !== undefined) this.#endpoint.inflight--;
    const attempt = this.#attempt;
    this.#attempt = undefined;
    attempt?.abandon(code, this.#ended);
    countMirrored(engine, cluster.service, result);
  }
}
