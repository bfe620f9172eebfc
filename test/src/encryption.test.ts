// What passes between two proxies is TLS 1.3 and nothing else, and only peers with an SVID of the trust domain get in.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connect as tlsConnect, type ConnectionOptions } from "node:tls";
import { TestAuthority } from "@ripstop/testkit";
import { MeshClient } from "./http-client.ts";
import { Mesh } from "./mesh.ts";
import { echoServer } from "./programs.ts";
import { needsProgram, needsRoot } from "./requirements.ts";

const MARKER = "a-secret-that-must-not-be-readable";

describe("traffic between proxies", () => {
  const mesh = new Mesh();
  let client: MeshClient;
  let inbound = { host: "", port: 0 };

  before(async () => {
    await mesh.startControl();
    mesh.ripstop(["run", "--service", "echo", "--port", "auto", "--", process.execPath, "--eval", echoServer]);
    client = await MeshClient.start(mesh, "caller");
    await mesh.until("echo is ready", async () =>
      (await client.send("http://echo/")).status === 200 ? true : undefined,
    );
    const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
      workloads: { service: string; inboundAddress: string }[];
    };
    const address = workloads.find((workload) => workload.service.endsWith("echo"))?.inboundAddress ?? "";
    inbound = {
      host: address.slice(0, address.lastIndexOf(":")),
      port: Number(address.slice(address.lastIndexOf(":") + 1)),
    };
  });
  after(() => mesh.stop());

  it(
    "is TLS 1.3 on the wire, with no readable payload",
    { skip: needsRoot("capture packets") || needsProgram("tcpdump", "apt-get install tcpdump") },
    async () => {
      // A fresh caller, so that the capture holds a handshake.
      const file = join(mesh.home, "capture.pcap");
      const args = ["-i", "lo", "-U", "--immediate-mode", "-B", "65536", "-s", "0", "-w", file, "tcp"];
      const tcpdump = mesh.program("tcpdump", args);
      await tcpdump.printed(/listening on/);
      const fresh = await MeshClient.start(mesh, "fresh-caller");
      const answer = await fresh.send("http://echo/", {
        method: "POST",
        headers: { "x-marker": MARKER },
        body: MARKER,
      });
      assert.equal(answer.status, 200);
      assert.ok(answer.body.includes(MARKER));
      fresh.running.child.kill("SIGTERM");
      await fresh.running.ended;
      // Packets reach the file in the order in which they passed.
      await mesh.until("the capture holds the exchange", () =>
        readFileSync(file).includes(MARKER) ? true : undefined,
      );
      tcpdump.child.kill("SIGINT");
      await tcpdump.ended;

      const segments = tcpSegments(readFileSync(file));
      const between = segments.filter(
        (segment) => segment.source === inbound.port || segment.destination === inbound.port,
      );
      const elsewhere = segments.filter((segment) => !between.includes(segment));
      assert.ok(
        elsewhere.some((segment) => segment.payload.includes(MARKER)),
        "the capture works: the marker is readable beside the applications",
      );
      assert.ok(
        between.some((segment) => segment.payload.length > 0),
        "the capture holds traffic between the proxies",
      );
      assert.ok(
        !between.some((segment) => segment.payload.includes(MARKER)),
        "no payload is readable between the proxies",
      );
      const hello = between.find(
        (segment) => segment.source === inbound.port && segment.payload[0] === 0x16 && segment.payload[5] === 0x02,
      );
      assert.ok(hello, "the capture holds a ServerHello");
      assert.ok(
        hello.payload.includes(Buffer.from([0x00, 0x2b, 0x00, 0x02, 0x03, 0x04])),
        "its supported_versions extension chose TLS 1.3",
      );
    },
  );

  const refused = async (options: ConnectionOptions): Promise<string> => {
    const socket = tlsConnect({
      ...inbound,
      servername: "",
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false,
      ...options,
    });
    const received: Buffer[] = [];
    socket.on("data", (chunk) => received.push(chunk));
    let failure = "";
    socket.on("error", (error) => (failure = error.message));
    socket.on("secureConnect", () => socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"));
    await new Promise<void>((resolve) => socket.on("close", () => resolve()));
    assert.equal(Buffer.concat(received).length, 0, "the peer gets not one byte of HTTP/2");
    return failure;
  };

  it("refuses a client without a certificate", async () => {
    assert.notEqual(await refused({}), "");
  });

  it("refuses a certificate of another authority, even for the right trust domain", async () => {
    const stranger = await TestAuthority.create(mesh.controlFile().trustDomain);
    const leaf = await stranger.issue(`spiffe://${mesh.controlFile().trustDomain}/ns/default/sa/caller`);
    await refused({ cert: leaf.chainPem, key: leaf.keyPem });
  });

  it("refuses a certificate for another trust domain", async () => {
    const stranger = await TestAuthority.create("elsewhere.example");
    const leaf = await stranger.issue("spiffe://elsewhere.example/ns/default/sa/caller");
    await refused({ cert: leaf.chainPem, key: leaf.keyPem });
  });

  it("refuses TLS 1.2 and plain text", async () => {
    assert.notEqual(await refused({ minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }), "");
  });
});

interface Segment {
  readonly source: number;
  readonly destination: number;
  readonly payload: Buffer;
}

/** The TCP segments of a capture file (pcap format, Ethernet-style loopback frames, IPv4). */
function tcpSegments(capture: Buffer): Segment[] {
  const segments: Segment[] = [];
  for (let at = 24; at + 16 <= capture.length;) {
    const length = capture.readUInt32LE(at + 8);
    const frame = capture.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    if (frame.length < 34 || frame.readUInt16BE(12) !== 0x0800 || frame[23] !== 6) continue;
    const ip = frame.subarray(14);
    const tcp = ip.subarray(((ip[0] ?? 0) & 15) * 4, ip.readUInt16BE(2));
    segments.push({
      source: tcp.readUInt16BE(0),
      destination: tcp.readUInt16BE(2),
      payload: tcp.subarray(((tcp[12] ?? 0) >> 4) * 4),
    });
  }
  return segments;
}
