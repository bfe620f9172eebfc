// What one random exchange does, on both sides. A plan follows from (seed, index) alone, so a failure can be repeated.

import { SeededRandom } from "@ripstop/testkit";

/** The three applications of the run. */
export type Application = "h1" | "h2" | "tcp";

/** Shape of an exchange. */
export type Kind = "exchange" | "pipeline" | "websocket" | "tcp";

/** The server's half; travels with the request. */
export interface ServerPlan {
  readonly index: number;
  readonly seed: number;
  readonly up: number;
  readonly down: number;
  /** Answer after the whole upload, while it comes, or at once in full. */
  readonly answer: "after" | "duplex" | "early";
  readonly chunked: boolean;
  readonly trailers: boolean;
  readonly upTrailers: boolean;
  /** Bytes of the answer after which the server cuts the exchange; -1 never, -2 before the head. */
  readonly abortAt: number;
  /** The client cuts the exchange at some point. */
  readonly clientAborts: boolean;
  readonly slowRead: boolean;
  readonly slowWrite: boolean;
  readonly piece: number;
}

/** The whole plan. */
export interface Plan {
  readonly kind: Kind;
  /** What the client speaks: to the declared upstream, or at the HTTP proxy. */
  readonly client: "h1" | "h2" | "proxy";
  readonly application: Application;
  readonly method: "GET" | "HEAD" | "POST" | "PUT";
  readonly chunked: boolean;
  readonly expect: boolean;
  /** An HTTP/1.1 client on a bare socket, in place of Node's. */
  readonly bare: boolean;
  readonly slowRead: boolean;
  readonly slowWrite: boolean;
  readonly piece: number;
  /** Bytes read and written together after which the client cuts the exchange; -1 never. */
  readonly abortAt: number;
  /** The client cuts its whole connection rather than the exchange. */
  readonly abortHard: boolean;
  /** Requests sent at once on one connection (kind "pipeline"). */
  readonly depth: number;
  readonly server: ServerPlan;
}

const MAX_ANSWERED_UPLOAD = 500_000;
const BARE_SHARE = 0.25;

/** Bytes from 0 to 5 MB, mostly small. */
function size(random: SeededRandom): number {
  const roll = random.next();
  if (roll < 0.08) return 0;
  if (roll < 0.5) return random.integer(1_000);
  if (roll < 0.87) return random.integer(32_000);
  if (roll < 0.985) return random.integer(256_000);
  return random.integer(5_000_000);
}

function piece(random: SeededRandom): number {
  const roll = random.next();
  if (roll < 0.1) return 1 + random.integer(300);
  return roll < 0.5 ? 1 + random.integer(16_000) : 1 + random.integer(200_000);
}

/** The plan of exchange `index`. */
export function makePlan(seed: number, index: number): Plan {
  const random = new SeededRandom(Math.imul(seed, 0x9e3779b1) ^ index);
  for (let warm = 0; warm < 3; warm++) random.next();
  const roll = random.next();
  const kind: Kind = roll < 0.82 ? "exchange" : roll < 0.88 ? "pipeline" : roll < 0.93 ? "websocket" : "tcp";
  const application: Application = kind === "tcp" ? "tcp" : random.next() < 0.5 ? "h1" : "h2";
  const client = random.pick(["h1", "h2", "h1", "h2", "proxy"] as const);
  const method =
    kind === "pipeline" ? "GET" : random.pick(["GET", "POST", "POST", "PUT", "POST", "GET", "POST", "HEAD"] as const);
  const bodyless = (method === "GET" || method === "HEAD") && kind !== "tcp" && kind !== "websocket";
  const wantedUp = bodyless ? 0 : size(random);
  const down = kind === "pipeline" ? Math.min(size(random), 60_000) : size(random);
  const aborter = random.next();
  const answer = random.pick(["after", "after", "duplex", "early"] as const);
  // Who is answered in full before the upload ends may be cut off after 1 MiB more.
  const up = answer === "after" || kind === "tcp" ? wantedUp : Math.min(wantedUp, MAX_ANSWERED_UPLOAD);
  const clientAborts = aborter < 0.06 && kind !== "pipeline";
  const serverAborts = !clientAborts && aborter < 0.12 && kind !== "pipeline" && method !== "HEAD";
  const upPiece = piece(random);
  const downPiece = piece(random);
  const slow = (): boolean => random.next() < 0.08;
  const chunked = !bodyless && random.next() < 0.5;
  const plan = {
    kind,
    client,
    application,
    method,
    chunked,
    expect: !bodyless && kind === "exchange" && client !== "h2" && random.next() < 0.1,
    slowRead: slow(),
    slowWrite: slow(),
    piece: Math.max(upPiece, Math.ceil(up / 200)),
    abortAt: clientAborts ? random.integer(up + down + 1) : -1,
    abortHard: random.next() < 0.3,
    depth: 2 + random.integer(8),
    server: {
      index,
      seed: (Math.imul(seed, 31) + index * 2) >>> 0,
      up,
      down,
      answer,
      chunked: random.next() < 0.5,
      trailers: random.next() < 0.4,
      upTrailers: chunked && up > 0 && random.next() < 0.4,
      // Before the last byte: a cut after it would hit the next request on the connection.
      abortAt: serverAborts ? (random.next() < 0.2 || down === 0 ? -2 : random.integer(down)) : -1,
      clientAborts,
      slowRead: slow(),
      slowWrite: slow(),
      piece: Math.max(downPiece, Math.ceil(down / 200)),
    },
  };
  // Node's client sends no more once a complete answer came while it waited for room: see docs/soak.md.
  const bare = random.next() < BARE_SHARE || (answer !== "after" && !bodyless);
  return { ...plan, bare: bare && kind === "exchange" && client !== "h2" };
}

/** Seed of what the server sends. */
export function downSeed(plan: ServerPlan): number {
  return plan.seed + 1;
}
