// One question to name servers (RFC 1035): over UDP, over TCP when the answer was cut short, the next server when one fails.
// Node's own resolver does not tell how long SRV records hold, which is what they are asked again by.

import { randomInt } from "node:crypto";
import { createSocket } from "node:dgram";
import { connect, isIPv6 } from "node:net";

import { err, ok, type Clock, type Result } from "@ripstop/core";
import {
  decode,
  encode,
  RECURSION_DESIRED,
  streamEncode,
  TRUNCATED_RESPONSE,
  type Answer,
  type Packet,
  type RecordType,
} from "dns-packet";

/** A name server. */
export interface NameServer {
  readonly host: string;
  readonly port: number;
}

/** What is asked. */
export interface DnsQuestion {
  readonly name: string;
  readonly type: Extract<RecordType, "A" | "AAAA" | "SRV">;
}

/** What a question needs. */
export interface DnsContext {
  readonly clock: Clock;
  /** Asked in this order, each twice at most. */
  readonly servers: readonly NameServer[];
  /** Ends the question. */
  readonly signal: AbortSignal;
}

/** Records of the type for the name, or for what the name is an alias of; none when there are none (NXDOMAIN, NODATA). */
export interface DnsAnswer {
  readonly answers: readonly Answer[];
  /** What the server sent along. */
  readonly additionals: readonly Answer[];
  /** How long the answer holds, in seconds; of a negative one as RFC 2308 says, 0 when it does not say. */
  readonly ttlS: number;
}

const TIMEOUT_MS = 3_000;
const ROUNDS = 2;
const MAX_ALIASES = 16;
/** EDNS payload that passes everywhere (DNS flag day 2020). */
const UDP_PAYLOAD = 1_232;
/** Low bits of the flags. */
const RCODE = 0x0f;
const NO_ERROR = 0;
const NXDOMAIN = 3;

/** The answer, or a sentence that says why no server gave one. */
export async function queryDns(question: DnsQuestion, context: DnsContext): Promise<Result<DnsAnswer, string>> {
  let problem = "there is no name server to ask";
  for (let round = 0; round < ROUNDS; round++) {
    for (const server of context.servers) {
      if (context.signal.aborted) return err("the question was given up");
      // oxlint-disable-next-line no-await-in-loop -- one after the other: the next one only when this one failed
      const answer = await askServer(question, server, context);
      if (answer.ok) return answer;
      problem = `${server.host}: ${answer.error}`;
    }
  }
  return err(problem);
}

async function askServer(
  question: DnsQuestion,
  server: NameServer,
  context: DnsContext,
): Promise<Result<DnsAnswer, string>> {
  const packet: Packet = {
    type: "query",
    id: randomInt(0x1_0000),
    flags: RECURSION_DESIRED,
    questions: [question],
    additionals: [
      {
        type: "OPT",
        name: ".",
        udpPayloadSize: UDP_PAYLOAD,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      },
    ],
  };
  const short = await exchange(overUdp, packet, server, context);
  if (!short.ok || ((short.value.flags ?? 0) & TRUNCATED_RESPONSE) === 0) return read(short, question);
  return read(await exchange(overTcp, packet, server, context), question);
}

/** Sends `packet`; calls `got` with every message that comes, `failed` once. Returns how to end it. */
type Carry = (
  packet: Packet,
  server: NameServer,
  on: { readonly got: (message: Buffer) => void; readonly failed: (reason: string) => void },
) => () => void;

function exchange(
  carry: Carry,
  packet: Packet,
  server: NameServer,
  { clock, signal }: DnsContext,
): Promise<Result<Packet, string>> {
  return new Promise((resolve) => {
    let isDone = false;
    const done = (result: Result<Packet, string>): void => {
      if (isDone) return;
      isDone = true;
      timer.clear();
      signal.removeEventListener("abort", onAbort);
      end();
      resolve(result);
    };
    const onAbort = (): void => done(err("the question was given up"));
    const timer = clock.after(TIMEOUT_MS, () => done(err(`no answer within ${TIMEOUT_MS} ms`)));
    signal.addEventListener("abort", onAbort);
    const end = carry(packet, server, {
      got(message) {
        const answer = decoded(message);
        // Anybody may send something to our port: what does not answer this question is not seen.
        if (answer !== undefined && isAnswerTo(packet, answer)) done(ok(answer));
      },
      failed: (reason) => done(err(reason)),
    });
  });
}

const overUdp: Carry = (packet, { host, port }, { got, failed }) => {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  let isOpen = true;
  socket.on("message", got);
  socket.on("error", (error) => failed(error.message));
  socket.on("connect", () => {
    if (isOpen) socket.send(encode(packet));
  });
  // Connected: the kernel drops what comes from elsewhere, and says when nobody listens there.
  socket.connect(port, host);
  return () => {
    isOpen = false;
    socket.close();
  };
};

const overTcp: Carry = (packet, { host, port }, { got, failed }) => {
  const socket = connect(port, host);
  let received = Buffer.alloc(0);
  socket.on("connect", () => socket.write(streamEncode(packet)));
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    if (received.length < 2) return;
    const length = received.readUInt16BE(0);
    if (received.length < length + 2) return;
    got(received.subarray(2, length + 2));
    failed("it answered something else");
  });
  socket.on("error", (error) => failed(error.message));
  socket.on("close", () => failed("it closed the connection"));
  return () => void socket.destroy();
};

function decoded(message: Buffer): Packet | undefined {
  try {
    return decode(message);
  } catch {
    return undefined;
  }
}

function isAnswerTo(query: Packet, answer: Packet): boolean {
  const [asked] = query.questions ?? [];
  const [repeated] = answer.questions ?? [];
  return (
    answer.type === "response" &&
    answer.id === query.id &&
    asked !== undefined &&
    repeated?.type === asked.type &&
    sameName(repeated.name, asked.name)
  );
}

function read(received: Result<Packet, string>, question: DnsQuestion): Result<DnsAnswer, string> {
  if (!received.ok) return received;
  const { flags = 0, answers = [], additionals = [], authorities = [] } = received.value;
  const rcode = flags & RCODE;
  if (rcode !== NO_ERROR && rcode !== NXDOMAIN) return err(`it answers ${rcodeName(rcode)}`);
  const aliases = new Set([plainName(question.name)]);
  const ttls: number[] = [];
  for (let step = 0; step < MAX_ALIASES; step++) {
    const alias = answers.find(
      (one) => one.type === "CNAME" && aliases.has(plainName(one.name)) && !aliases.has(plainName(one.data)),
    );
    if (alias?.type !== "CNAME") break;
    aliases.add(plainName(alias.data));
    ttls.push(alias.ttl ?? 0);
  }
  const found = answers.filter(({ type, name }) => type === question.type && aliases.has(plainName(name)));
  for (const one of found) if ("ttl" in one) ttls.push(one.ttl ?? 0);
  if (found.length > 0) return ok({ answers: found, additionals, ttlS: Math.min(...ttls) });
  const soa = authorities.find((one) => one.type === "SOA");
  const ttlS = soa?.type === "SOA" ? Math.min(soa.ttl ?? 0, soa.data.minimum ?? 0) : 0;
  return ok({ answers: [], additionals: [], ttlS });
}

/** A name as it is compared: lower case, without the dot of the root. */
export function plainName(name: string): string {
  return name.toLowerCase().replace(/\.$/, "");
}

function sameName(a: string, b: string): boolean {
  return plainName(a) === plainName(b);
}

function rcodeName(rcode: number): string {
  return { 1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED" }[rcode] ?? `with code ${rcode}`;
}
