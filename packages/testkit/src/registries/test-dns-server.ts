// A name server for tests, over UDP and TCP, that answers from a list of records (RFC 1035).

import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { once } from "node:events";
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";

import { AUTHORITATIVE_ANSWER, decode, encode, TRUNCATED_RESPONSE, type Answer, type Packet } from "dns-packet";

/** How it answers: as it should, not at all, SERVFAIL, or with bytes that are no answer to what was asked. */
export type DnsMood = "answer" | "silent" | "servfail" | "nonsense";

/** Bytes that pass without EDNS. */
const PLAIN_PAYLOAD = 512;
const SERVFAIL = 2;
const NXDOMAIN = 3;

/** A running server on loopback. */
export class TestDnsServer {
  /** What it knows; may be replaced at any time. */
  records: readonly Answer[] = [];
  mood: DnsMood = "answer";
  /** It sends the addresses of SRV targets along. */
  sendsAdditionals = true;
  /** Names of which questions fail with SERVFAIL. */
  failingNames: readonly string[] = [];
  /** "UDP SRV name" of every question so far. */
  readonly asked: string[] = [];
  readonly #udp: UdpSocket;
  readonly #tcp: Server;
  readonly #sockets = new Set<Socket>();
  readonly port: number;

  private constructor(tcp: Server, udp: UdpSocket) {
    this.#tcp = tcp;
    this.#udp = udp;
    this.port = (tcp.address() as AddressInfo).port;
    udp.on("message", (message, from) => {
      for (const answer of this.#answer(message, "UDP")) udp.send(answer, from.port, from.address);
    });
    tcp.on("connection", (socket) => this.#serve(socket));
  }

  /** Starts it on a port that is free for both. */
  static async start(): Promise<TestDnsServer> {
    for (;;) {
      const tcp = createServer().listen(0, "127.0.0.1");
      // oxlint-disable-next-line no-await-in-loop -- until a number is free for both
      await once(tcp, "listening");
      const udp = createSocket("udp4");
      udp.bind((tcp.address() as AddressInfo).port, "127.0.0.1");
      // oxlint-disable-next-line no-await-in-loop -- likewise
      const isBound = await once(udp, "listening").then(
        () => true,
        () => false,
      );
      if (isBound) return new TestDnsServer(tcp, udp);
      tcp.close();
    }
  }

  /** "127.0.0.1:PORT". */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Ends it. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#udp.close();
    this.#tcp.close();
    await Promise.all([once(this.#udp, "close"), once(this.#tcp, "close")]);
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on("error", () => undefined);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 2 && received.length >= received.readUInt16BE(0) + 2) {
        const end = received.readUInt16BE(0) + 2;
        for (const answer of this.#answer(received.subarray(2, end), "TCP")) {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(answer.length);
          socket.write(Buffer.concat([length, answer]));
        }
        received = received.subarray(end);
      }
    });
  }

  #answer(message: Buffer, over: "UDP" | "TCP"): readonly Buffer[] {
    const query = decode(message);
    const [question] = query.questions ?? [];
    if (question === undefined) return [];
    this.asked.push(`${over} ${question.type} ${question.name}`);
    const base: Packet = { type: "response", id: query.id ?? 0, questions: [question], flags: AUTHORITATIVE_ANSWER };
    switch (this.failingNames.includes(question.name) ? "servfail" : this.mood) {
      case "silent":
        return [];
      case "servfail":
        return [encode({ ...base, flags: AUTHORITATIVE_ANSWER | SERVFAIL })];
      case "nonsense": {
        const loop = Buffer.from(encode(base));
        const forged = encode({ ...base, id: ((query.id ?? 0) + 1) % 0x1_0000, answers: [...this.records] });
        return [Buffer.from([1]), forged, Buffer.concat([loop.subarray(0, 12), Buffer.from([0xc0, 0x0c, 0, 1])])];
      }
      case "answer":
    }
    const answers = this.#find(question.name, question.type);
    const isKnown = answers.length > 0 || this.records.some(({ name }) => same(name, question.name));
    const targets = answers.flatMap((one) => (one.type === "SRV" ? [one.data.target] : []));
    const additionals = this.sendsAdditionals
      ? targets.flatMap((target) => [...this.#find(target, "A"), ...this.#find(target, "AAAA")])
      : [];
    const soa: Answer = {
      type: "SOA",
      name: "test",
      ttl: 7,
      data: { mname: "ns.test", rname: "root.test", minimum: 7 },
    };
    const whole = encode({
      ...base,
      flags: AUTHORITATIVE_ANSWER | (isKnown ? 0 : NXDOMAIN),
      answers: [...answers],
      additionals,
      authorities: answers.length === 0 ? [soa] : [],
    });
    const opt = (query.additionals ?? []).find(({ type }) => type === "OPT");
    const room = opt?.type === "OPT" ? opt.udpPayloadSize : PLAIN_PAYLOAD;
    if (over === "TCP" || whole.length <= room) return [whole];
    return [encode({ ...base, flags: AUTHORITATIVE_ANSWER | TRUNCATED_RESPONSE })];
  }

  /** Records of a type, with the aliases that lead to them. */
  #find(name: string, type: string): readonly Answer[] {
    const found = this.records.filter((one) => one.type === type && same(one.name, name));
    if (found.length > 0) return found;
    const alias = this.records.find((one) => one.type === "CNAME" && same(one.name, name));
    return alias?.type === "CNAME" ? [alias, ...this.#find(alias.data, type)] : [];
  }
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
