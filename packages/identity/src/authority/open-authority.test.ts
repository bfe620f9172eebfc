// The authority: what it issues, what it refuses, and how it comes back after a restart.

import "reflect-metadata";

import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { appendFile, chmod, mkdtemp, readdir, readFile, rm, stat, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { connect, createServer } from "node:tls";

import { systemClock } from "@ripstop/core";
import { StoppedClock } from "@ripstop/testkit";
import { KeyUsageFlags, KeyUsagesExtension, X509Certificate as ParsedCertificate } from "@peculiar/x509";

import { createKeyAndCsr } from "../csr/index.ts";
import { controlSpiffeId } from "../spiffe-id.ts";
import { openAuthority, startOwnIdentity, type KeyedSvid, type OpenAuthority } from "./index.ts";

const ID = "spiffe://test.mesh/ns/shop/sa/web";
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe("the authority", () => {
  let directory: string;
  let clock: StoppedClock;
  const opened: OpenAuthority[] = [];

  async function open(trustDomain: string = "test.mesh"): Promise<OpenAuthority> {
    const result = await openAuthority({ directory: join(directory, "ca"), trustDomain, clock });
    if (!result.ok) throw new Error(result.error.message);
    opened.push(result.value);
    return result.value;
  }

  async function failure(trustDomain: string = "test.mesh"): Promise<string> {
    const result = await openAuthority({ directory: join(directory, "ca"), trustDomain, clock });
    if (result.ok) opened.push(result.value);
    return result.ok ? "" : `${result.error.code} ${result.error.message}`;
  }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "ripstop-authority-"));
    clock = new StoppedClock(Date.UTC(2026, 5, 1));
  });
  afterEach(async () => {
    for (const authority of opened.splice(0)) await authority.close();
    await rm(directory, { recursive: true });
  });

  it("issues an X.509-SVID as the SPIFFE document wants it", async () => {
    const authority = await open();
    const { csrPem, keyPem } = await createKeyAndCsr(ID);
    const issued = await authority.issue(csrPem, ID);
    assert.ok(issued.ok);
    const [leafPem, intermediatePem] = issued.value.chainPem.split(/(?=-----BEGIN)/);
    const leaf = new X509Certificate(leafPem!);
    const intermediate = new X509Certificate(intermediatePem!);
    const root = new X509Certificate(authority.bundle().pem);
    assert.equal(leaf.subjectAltName, `URI:${ID}`);
    assert.equal(leaf.ca, false);
    assert.deepEqual(leaf.keyUsage, ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]);
    assert.equal(
      new ParsedCertificate(leafPem!).getExtension(KeyUsagesExtension)?.usages,
      KeyUsageFlags.digitalSignature,
    );
    assert.equal(leaf.verify(intermediate.publicKey), true);
    assert.equal(intermediate.verify(root.publicKey), true);
    assert.equal(intermediate.ca && root.ca, true);
    assert.equal(leaf.checkPrivateKey(createPrivateKey(keyPem)), true);
    assert.equal(Date.parse(leaf.validFrom), clock.nowMs() - 5 * 60_000);
    assert.equal(Date.parse(leaf.validTo), clock.nowMs() + HOUR);
    assert.equal(issued.value.notAfterMs, clock.nowMs() + HOUR);
    assert.equal(leaf.serialNumber.toLowerCase(), issued.value.serialNumber);
    assert.deepEqual(authority.bundle().der, [root.raw]);
  });

  it("gives every certificate another serial number of 16 bytes", async () => {
    const authority = await open();
    const { csrPem } = await createKeyAndCsr(ID);
    const serials = new Set<string>();
    for (let index = 0; index < 50; index++) {
      const issued = await authority.issue(csrPem, ID);
      assert.ok(issued.ok);
      assert.equal(issued.value.serialNumber.length, 32);
      serials.add(issued.value.serialNumber);
    }
    assert.equal(serials.size, 50);
  });

  it("keeps keys and log in files that only its user can read", async () => {
    await open();
    assert.equal((await stat(join(directory, "ca"))).mode & 0o777, 0o700);
    for (const name of await readdir(join(directory, "ca"))) {
      assert.equal((await stat(join(directory, "ca", name))).mode & 0o777, 0o600, name);
    }
  });

  it("logs everything that it issued before it hands it out", async () => {
    const authority = await open();
    const { csrPem } = await createKeyAndCsr(ID);
    const issued = await authority.issue(csrPem, ID, 60_000);
    assert.ok(issued.ok);
    const lines = (await readFile(join(directory, "ca", "issued.jsonl"), "utf8")).trimEnd().split("\n");
    const records = lines.map((line): Record<string, unknown> => JSON.parse(line));
    assert.deepEqual(
      records.map(({ kind }) => kind),
      ["root", "intermediate", "svid"],
    );
    assert.equal(records[2]?.["serialNumber"], issued.value.serialNumber);
    assert.equal(records[2]?.["spiffeId"], ID);
    assert.equal(records[2]?.["notAfterMs"], clock.nowMs() + 60_000);
  });

  it("hands nothing out when the log cannot be written", async () => {
    const authority = await open();
    const { csrPem } = await createKeyAndCsr(ID);
    await opened.pop()?.close();
    const refused = await authority.issue(csrPem, ID);
    assert.equal(refused.ok ? "issued" : refused.error.code, "RS2009");
  });

  it("starts a new line in the log after one that a crash cut off", async () => {
    await open();
    await opened.pop()?.close();
    await appendFile(join(directory, "ca", "issued.jsonl"), '{"timeMs":17');
    const { csrPem } = await createKeyAndCsr(ID);
    assert.equal((await (await open()).issue(csrPem, ID)).ok, true);
    const lines = (await readFile(join(directory, "ca", "issued.jsonl"), "utf8")).trimEnd().split("\n");
    assert.equal(lines[2], '{"timeMs":17');
    assert.match(lines[3] ?? "", /^{"timeMs":.*sa\/web.*}$/);
  });

  it("issues what carries mutual TLS 1.3, and only among workloads of the same root", async () => {
    clock = new StoppedClock(systemClock.nowMs());
    const authority = await open();
    const stranger = await openAuthority({ directory: join(directory, "other"), trustDomain: "test.mesh", clock });
    assert.ok(stranger.ok);
    opened.push(stranger.value);
    const identity = async (issuer: OpenAuthority, id: string): Promise<{ cert: string; key: string; ca: string }> => {
      const { csrPem, keyPem } = await createKeyAndCsr(id);
      const issued = await issuer.issue(csrPem, id);
      assert.ok(issued.ok);
      return { cert: issued.value.chainPem, key: keyPem, ca: authority.bundle().pem };
    };
    const own = await identity(authority, ID);
    const server = createServer({ ...own, requestCert: true, minVersion: "TLSv1.3" }, (socket) => {
      socket.end(socket.getPeerX509Certificate()?.subjectAltName ?? "nobody");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    assert.ok(address !== null && typeof address === "object");
    const dial = (as: { cert: string; key: string; ca: string }): Promise<string> =>
      new Promise((resolve) => {
        let received = "";
        const socket = connect({ port: address.port, host: "127.0.0.1", ...as, checkServerIdentity: () => undefined });
        socket.on("data", (chunk: Buffer) => (received += chunk.toString()));
        socket.on("error", () => undefined);
        socket.on("close", () => resolve(received));
      });
    const friend = "spiffe://test.mesh/ns/shop/sa/orders";
    assert.equal(await dial(await identity(authority, friend)), `URI:${friend}`);
    assert.equal(await dial(await identity(stranger.value, friend)), "");
    await new Promise((resolve) => server.close(resolve));
  });

  it("has the same root and signs with the same intermediate after a restart", async () => {
    const first = await open();
    const { csrPem } = await createKeyAndCsr(ID);
    const before = await first.issue(csrPem, ID);
    await opened.pop()?.close();
    const second = await open();
    const after = await second.issue(csrPem, ID);
    assert.ok(before.ok && after.ok);
    assert.equal(second.bundle().pem, first.bundle().pem);
    assert.equal(after.value.chainPem.split("-----BEGIN")[2], before.value.chainPem.split("-----BEGIN")[2]);
  });

  it("replaces the intermediate at half life, under the same root", async () => {
    const authority = await open();
    const { csrPem } = await createKeyAndCsr(ID);
    const before = await authority.issue(csrPem, ID);
    clock.advance(46 * DAY);
    const after = await authority.issue(csrPem, ID);
    assert.ok(before.ok && after.ok);
    const [old, fresh] = [before, after].map(
      ({ value }) => new X509Certificate(value.chainPem.split(/(?=-----BEGIN)/)[1]!),
    );
    assert.notEqual(old!.serialNumber, fresh!.serialNumber);
    assert.equal(fresh!.verify(new X509Certificate(authority.bundle().pem).publicKey), true);
    assert.equal(Date.parse(fresh!.validTo), clock.nowMs() + 90 * DAY);
  });

  it("makes the intermediate anew when a crash left key and certificate of different pairs", async () => {
    await open();
    await opened.pop()?.close();
    const key = join(directory, "ca", "intermediate.key.pem");
    await writeFile(key, await readFile(join(directory, "ca", "root.key.pem")));
    const { csrPem } = await createKeyAndCsr(ID);
    assert.equal((await (await open()).issue(csrPem, ID)).ok, true);
  });

  it("does not start with keys that others can read, or that are missing or damaged", async () => {
    await open();
    await opened.pop()?.close();
    const key = join(directory, "ca", "root.key.pem");
    await chmod(key, 0o640);
    assert.match(await failure(), /RS2010.*mode 640/);
    await chmod(key, 0o600);
    const pem = await readFile(key);
    await writeFile(key, "damaged");
    assert.match(await failure(), /RS2010/);
    await unlink(key);
    assert.match(await failure(), /RS2010.*without its key/);
    await writeFile(key, pem, { mode: 0o600 });
    await unlink(join(directory, "ca", "root.crt.pem"));
    await unlink(join(directory, "ca", "authority.json"));
    assert.match(await failure(), /RS2010.*root.crt.pem is missing/);
  });

  it("does not start for another trust domain than its root's", async () => {
    await open();
    assert.match(await failure("other.mesh"), /RS2010/);
    assert.match(await failure("Not A Domain"), /RS2010/);
  });

  it("starts with an expired root, issues nothing, and says when it expired", async () => {
    await open();
    await opened.pop()?.close();
    clock.advance(3651 * DAY);
    const authority = await open();
    assert.match(authority.degraded ?? "", /valid from 2026-.* to 2036-/);
    const { csrPem } = await createKeyAndCsr(ID);
    const refused = await authority.issue(csrPem, ID);
    assert.match(refused.ok ? "" : `${refused.error.code} ${refused.error.message}`, /RS2011.*2036.*identity recover/);
  });

  it("issues only for workloads of its trust domain, and for 10 s to 24 h", async () => {
    const authority = await open();
    const { csrPem } = await createKeyAndCsr(ID);
    const code = async (id: string, ttlMs?: number): Promise<string> => {
      const result = await authority.issue(csrPem, id, ttlMs);
      return result.ok ? "issued" : result.error.code;
    };
    assert.equal(await code("spiffe://other.mesh/ns/shop/sa/web"), "RS2007");
    assert.equal(await code("spiffe://test.mesh"), "RS2007");
    assert.equal(await code("spiffe://test.mesh/ns/../sa/web"), "RS2007");
    assert.equal(await code(ID, 9_999), "RS2008");
    assert.equal(await code(ID, DAY + 1), "RS2008");
    assert.equal(await code(ID, Number.NaN), "RS2008");
    assert.equal(await code(ID, 10_000), "issued");
    assert.equal(await code(ID, DAY), "issued");
  });

  it("never issues beyond the life of the certificate that signs", async () => {
    const authority = await open();
    clock.advance(44 * DAY);
    const { csrPem } = await createKeyAndCsr(ID);
    const issued = await authority.issue(csrPem, ID, DAY);
    assert.ok(issued.ok);
    const [leaf, intermediate] = issued.value.chainPem.split(/(?=-----BEGIN)/).map((pem) => new X509Certificate(pem));
    assert.ok(Date.parse(leaf!.validTo) <= Date.parse(intermediate!.validTo));
  });

  it("renews an own identity at half life with a new key, and tells who watches", async () => {
    const authority = await open();
    const own = await startOwnIdentity({ authority, spiffeId: controlSpiffeId("test.mesh"), clock });
    assert.ok(own.ok);
    const first = own.value.current;
    const renewed = new Promise<KeyedSvid>((resolve) => own.value.watch(resolve));
    clock.advance(HOUR / 2);
    const second = await renewed;
    assert.equal(own.value.current, second);
    assert.notEqual(second.keyPem, first.keyPem);
    assert.equal(second.notAfterMs, clock.nowMs() + HOUR);
    assert.ok(createPublicKey(second.keyPem));
    own.value.close();
  });
});
