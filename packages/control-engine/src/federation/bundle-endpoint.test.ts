// The bundle endpoint and those who fetch from it, over real TLS.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import type { RequestListener } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";

import { systemClock } from "@ripstop/core";
import { controlSpiffeId } from "@ripstop/identity";
import { openAuthority, startOwnIdentity, type OpenAuthority, type OwnIdentity } from "@ripstop/identity/authority";
import { emptyBundle, formatBundle } from "@ripstop/identity/jwt";
import { PatientClock, TestAuthority, type TestLeafOptions } from "@ripstop/testkit";

import { startBundleEndpoint, type BundleEndpoint } from "./bundle-endpoint.ts";
import { fetchBundle, type BundleSource } from "./fetch-bundle.ts";

const ID = controlSpiffeId("partner.example");

describe("the bundle endpoint", () => {
  let directory = "";
  let authority: OpenAuthority;
  let identity: OwnIdentity;
  let endpoint: BundleEndpoint;

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "ripstop-endpoint-"));
    const opened = await openAuthority({ directory, trustDomain: "partner.example", clock: systemClock });
    assert.ok(opened.ok);
    authority = opened.value;
    const own = await startOwnIdentity({ authority, spiffeId: ID, clock: systemClock });
    assert.ok(own.ok);
    identity = own.value;
    const started = await startBundleEndpoint({
      address: "127.0.0.1:0",
      proof: { profile: "https_spiffe", identity },
      clock: systemClock,
      document: () => formatBundle({ ...emptyBundle, x509Authorities: authority.bundle().der, sequence: 3 }),
    });
    assert.ok(started.ok);
    endpoint = started.value;
  });
  after(async () => {
    await endpoint.close();
    identity.close();
    await authority.close();
    await rm(directory, { recursive: true });
  });

  function fetch(change: Partial<Extract<BundleSource, { profile: "https_spiffe" }>> = {}): Promise<string> {
    const roots = authority.bundle().der;
    return outcome({ profile: "https_spiffe", url: endpoint.url, spiffeId: ID, roots, ...change });
  }

  it("gives the bundle to who knows its roots and its id", async () => {
    assert.equal(await fetch(), "1 roots, sequence 3");
    assert.equal(await fetch({ url: `${endpoint.url}bundle.json` }), "1 roots, sequence 3");
  });

  it("is not believed under another id, nor with the roots of another trust domain", async () => {
    assert.match(await fetch({ spiffeId: "spiffe://partner.example/ns/a/sa/b" }), /the endpoint is .*control, not/);
    const other = await TestAuthority.create("partner.example");
    assert.match(await fetch({ roots: [rootOf(other)] }), /not signed by a trusted root/);
  });

  it("serves nothing else", async () => {
    assert.match(await fetch({ url: `${endpoint.url}v1/workloads` }), /status 404/);
  });

  it("refuses an address that is none, and one that is taken", async () => {
    for (const [address, code] of [
      ["8443", "RS3012"],
      ["127.0.0.1:99999", "RS3022"],
      [endpoint.url.slice("https://".length, -1), "RS3022"],
    ] as const) {
      const started = await startBundleEndpoint({
        address,
        proof: { profile: "https_spiffe", identity },
        clock: systemClock,
        document: () => "",
      });
      assert.equal(started.ok ? "" : started.error.kind.code, code, address);
    }
  });

  it("refuses certificate files that are not there", async () => {
    const started = await startBundleEndpoint({
      address: "127.0.0.1:0",
      proof: { profile: "https_web", certificateFile: "/no/such.crt", keyFile: "/no/such.key" },
      clock: systemClock,
      document: () => "",
    });
    assert.equal(started.ok ? "" : started.error.kind.code, "RS3022");
  });
});

describe("a fetch from an endpoint", () => {
  const servers: Server[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  /** Serves with an SVID of `spiffeId`; how to fetch from it. */
  async function serve(
    answer: RequestListener,
    leaf: TestLeafOptions = {},
  ): Promise<Extract<BundleSource, { profile: "https_spiffe" }>> {
    const authority = await TestAuthority.create("partner.example");
    const { chainPem, keyPem } = await authority.issue(ID, leaf);
    const server = createServer({ cert: chainPem, key: keyPem }, answer);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    return { profile: "https_spiffe", url: `https://127.0.0.1:${port}/`, spiffeId: ID, roots: [rootOf(authority)] };
  }

  const good: RequestListener = (_request, response) => response.end('{"keys":[],"spiffe_sequence":1}');

  it("follows redirects to https, under the same rules, and not for ever", async () => {
    const source = await serve((request, response) => {
      const hop = Number(request.url?.slice(1) ?? "0");
      if (hop >= 3) good(request, response);
      else response.writeHead(302, { location: `/${hop + 1}` }).end();
    });
    assert.equal(await outcome(source), "0 roots, sequence 1");
    const endless = await serve((_request, response) => response.writeHead(307, { location: "/" }).end());
    assert.match(await outcome(endless), /redirects more than 3 times/);
    for (const location of ["http://127.0.0.1/", "https://user@127.0.0.1/", "file:///etc/passwd"]) {
      const bad = await serve((_request, response) => response.writeHead(302, { location }).end());
      assert.match(await outcome(bad), /no bundle endpoint/, location);
    }
  });

  it("refuses what is no bundle, too large, or cut off", async () => {
    assert.match(await outcome(await serve((_request, response) => response.end("<html>"))), /not JSON/);
    assert.match(await outcome(await serve((_request, response) => response.writeHead(503).end())), /status 503/);
    const large = await serve((_request, response) => {
      response.on("error", () => undefined);
      response.end(`{"keys":[],"x":"${"y".repeat(2 * 1024 * 1024)}"}`);
    });
    assert.match(await outcome(large), /longer than/);
    const cut = await serve((_request, response) => {
      response.writeHead(200, { "content-length": 100 });
      response.write("{");
      setImmediate(() => response.destroy());
    });
    assert.match(await outcome(cut), /aborted|hang up/);
  });

  it("refuses a server whose certificate is no SVID", async () => {
    assert.match(await outcome(await serve(good, { uris: [] })), /no URI name/);
    assert.match(await outcome(await serve(good, { uris: [ID, ID] })), /2 URI names/);
    assert.match(await outcome(await serve(good, { ca: true })), /certificate authority|trusted root|INVALID|CA/i);
    assert.match(await outcome(await serve(good, { keyUsages: "absent" })), /what its key is for/);
  });

  it("says when nothing listens", async () => {
    const source = await serve(good);
    const [server] = servers;
    await new Promise((resolve) => server?.close(resolve));
    assert.match(await outcome(source), /nothing listens/);
  });

  it("ends when it is given up", async () => {
    const given = new AbortController();
    const source = await serve(() => given.abort());
    const result = await fetchBundle(source, new PatientClock(), given.signal);
    assert.equal(result.ok, false);
  });
});

async function outcome(source: BundleSource): Promise<string> {
  const result = await fetchBundle(source, new PatientClock(), new AbortController().signal);
  if (!result.ok) return result.error;
  const { x509Authorities, sequence } = result.value.bundle;
  return `${x509Authorities.length} roots, sequence ${sequence}`;
}

function rootOf({ bundlePem }: TestAuthority): Buffer {
  return Buffer.from(bundlePem.replaceAll(/-----.*-----|\s/g, ""), "base64");
}
