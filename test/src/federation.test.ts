// Two meshes that federate: bundles travel over their bundle endpoints, and a workload of one calls a service of the other.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect as http2Connect, constants } from "node:http2";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connect as tlsConnect, type TLSSocket } from "node:tls";
import type { BundlesView, WorkloadView } from "@ripstop/model";
import { TestAuthority } from "@ripstop/testkit";
import { Mesh } from "./mesh.ts";
import { echoServer } from "./programs.ts";
import { ProtoClient, type X509SvidResponseMessage } from "./spiffe-clients.ts";

const application = "console.log('socket ' + process.env.SPIFFE_ENDPOINT_SOCKET); process.stdin.resume()";

interface FederationStatus {
  readonly status: {
    readonly conditions: readonly { readonly type: string; readonly status: string; readonly message: string }[];
    readonly bundle?: { readonly x509Authorities: number; readonly jwtAuthorities: number; readonly sequence: number };
  };
}

/** A mesh with a trust domain and a bundle endpoint. */
class Domain extends Mesh {
  readonly name: string;
  url = "";

  constructor(name: string) {
    super();
    this.name = name;
  }

  async start(args: readonly string[] = ["--bundle-endpoint", "127.0.0.1:0"]): Promise<void> {
    await this.startControl(["--trust-domain", this.name, ...args]);
    [, this.url = ""] = (await this.control?.printed(/^bundle endpoint (\S+)/m)) ?? [];
  }

  async document(): Promise<string> {
    const view = JSON.parse((await this.api("GET", "/v1/identity/bundles")).body) as BundlesView;
    return view.bundles[this.name] ?? "";
  }

  /** Believes `other`, beginning with `bundle`. */
  async believe(other: Domain, bundleEndpoint: object | undefined, bundle: string | undefined): Promise<void> {
    const resource = {
      apiVersion: "ripstop.mesh/v1alpha1",
      kind: "FederatedTrustDomain",
      metadata: { name: "partner" },
      spec: {
        trustDomain: other.name,
        ...(bundleEndpoint === undefined ? {} : { bundleEndpoint }),
        ...(bundle === undefined ? {} : { bundle }),
      },
    };
    const { code, output } = await this.command(["apply", "-f", "-"], JSON.stringify(resource));
    assert.equal(code, 0, output);
  }

  async federation(): Promise<FederationStatus["status"]> {
    const answer = await this.api("GET", "/v1/resources/FederatedTrustDomain/-/partner");
    return (JSON.parse(answer.body) as FederationStatus).status;
  }

  /** Waits until the bundle was fetched (or not). */
  fetched(wanted: "True" | "False"): Promise<string> {
    return this.until(`BundleFetched is ${wanted} at ${this.name}`, async () => {
      const { conditions } = await this.federation();
      return conditions.find(({ type, status }) => type === "BundleFetched" && status === wanted)?.message;
    });
  }

  /** Starts a workload that does nothing but have an identity; its Workload API. */
  async workload(service: string): Promise<ProtoClient> {
    const running = this.ripstop(["run", "--service", service, "--", process.execPath, "--eval", application]);
    const [, address = ""] = await running.printed(/^socket (\S+)$/m);
    return new ProtoClient(address);
  }

  async view(service: string): Promise<WorkloadView | undefined> {
    const { workloads } = JSON.parse((await this.api("GET", "/v1/workloads")).body) as { workloads: WorkloadView[] };
    return workloads.find((workload) => workload.service.endsWith(service) && workload.ready);
  }
}

describe("two federated meshes", () => {
  const a = new Domain("a.example");
  const b = new Domain("b.example");
  const clients: ProtoClient[] = [];
  let web: ProtoClient;
  let thief: ProtoClient;

  before(async () => {
    await Promise.all([a.start(), b.start()]);
    b.ripstop(["run", "--service", "orders", "--port", "auto", "--", process.execPath, "--eval", echoServer]);
    web = await a.workload("web");
    thief = await a.workload("thief");
    clients.push(web, thief);
  });
  after(async () => {
    for (const client of clients) client.close();
    await Promise.all([a.stop(), b.stop()]);
  });

  /** Calls the service of mesh B as a SPIFFE-aware client does, with the SVID of a workload of mesh A. */
  async function call(client: ProtoClient): Promise<{ readonly status: number; readonly body: string }> {
    const stream = client.stream<X509SvidResponseMessage>("FetchX509SVID");
    const { svids, federatedBundles } = await stream.next();
    stream.cancel();
    const [svid] = svids;
    const roots = federatedBundles["spiffe://b.example"];
    assert.ok(svid && roots, "the Workload API of mesh A gives the bundle of mesh B");
    return callWith({ cert: pemOf(svid.x509Svid), key: pem("PRIVATE KEY", svid.x509SvidKey), ca: pemOf(roots) });
  }

  async function callWith(
    identity: Readonly<Record<"cert" | "key" | "ca", string>>,
  ): Promise<{ readonly status: number; readonly body: string }> {
    const orders = await b.until("orders is ready", () => b.view("orders"));
    const [instance = ""] = orders.id.split("/").slice(1);
    const [host = "", port = ""] = orders.inboundAddress.split(":");
    const applicationPort = orders.applicationAddress.split(":")[1] ?? "";
    let found = "";
    const socket: TLSSocket = tlsConnect({
      host,
      port: Number(port),
      servername: `${applicationPort}.${instance}.default.mesh`,
      ALPNProtocols: ["h2"],
      minVersion: "TLSv1.3",
      ...identity,
      checkServerIdentity: (_host, certificate) => {
        found = certificate.subjectaltname ?? "";
        return found === "URI:spiffe://b.example/ns/default/sa/orders" ? undefined : new Error(`found ${found}`);
      },
    });
    await outcome(socket, "secureConnect");
    const session = http2Connect("http://orders", { createConnection: () => socket });
    session.on("error", () => undefined);
    try {
      const exchange = session.request({ ":path": "/hello", ":authority": "orders" });
      exchange.setEncoding("utf8");
      let body = "";
      exchange.on("data", (text: string) => (body += text));
      const [[headers]] = await Promise.all([outcome(exchange, "response"), outcome(exchange, "end")]);
      return { status: Number((headers as Record<string, unknown>)[constants.HTTP2_HEADER_STATUS]), body };
    } finally {
      session.destroy();
    }
  }

  it("fetch each other's bundle from an endpoint that proves itself with its SVID", async () => {
    for (const [own, other] of [
      [a, b],
      [b, a],
    ] as const) {
      const spiffeId = `spiffe://${other.name}/ns/ripstop-system/sa/control`;
      await own.believe(other, { url: other.url, profile: "https_spiffe", spiffeId }, await other.document());
      await own.fetched("True");
      const { sequence, ...counts } = (await own.federation()).bundle ?? { sequence: 0 };
      assert.deepEqual({ ...counts, fetchedAt: "" }, { x509Authorities: 1, jwtAuthorities: 1, fetchedAt: "" });
      assert.equal(sequence, (JSON.parse(await other.document()) as { spiffe_sequence: number }).spiffe_sequence);
    }
  });

  it("let a workload of one call a service of the other, and know it by its identity", async () => {
    const { status, body } = await a.until("mesh B believes mesh A", () => call(web).catch(() => undefined));
    assert.equal(status, 200);
    const { url, headers } = JSON.parse(body) as { url: string; headers: Record<string, string> };
    assert.equal(url, "/hello");
    assert.match(JSON.stringify(headers), /spiffe:\/\/a\.example\/ns\/default\/sa\/web/);
  });

  it("authorize workloads of the other by their SPIFFE ids", async () => {
    const policy = {
      apiVersion: "ripstop.mesh/v1alpha1",
      kind: "AuthorizationPolicy",
      metadata: { name: "only-web-of-a", namespace: "default" },
      spec: { rules: [{ from: [{ principals: ["spiffe://a.example/ns/default/sa/web"] }] }] },
    };
    const applied = await b.command(["apply", "--wait", "--timeout", "2m", "-f", "-"], JSON.stringify(policy));
    assert.equal(applied.code, 0, applied.output);
    assert.equal((await call(web)).status, 200);
    assert.equal((await call(thief)).status, 403);
  });

  it("check each other's JWT-SVIDs", async () => {
    const orders = await b.workload("checker");
    clients.push(orders);
    const { svids } = await web.call<{ svids: { svid: string }[] }>("FetchJWTSVID", { audience: ["checker"] });
    const valid = await orders.call<{ spiffeId: string }>("ValidateJWTSVID", {
      audience: "checker",
      svid: svids[0]?.svid,
    });
    assert.equal(valid.spiffeId, "spiffe://a.example/ns/default/sa/web");
  });

  it("keep the last good bundle while the other's endpoint is away, and over a restart", async () => {
    const sequence = (await b.federation()).bundle?.sequence;
    await stopControl(a);
    await stopControl(b);
    await b.start();
    assert.equal((await b.federation()).bundle?.sequence, sequence);
    assert.match(await b.fetched("False"), /last good bundle stays/);
    await b.until("orders answers again", () =>
      call(web).then(
        ({ status }) => (status === 200 ? true : undefined),
        () => undefined,
      ),
    );
    await a.start();
  });

  it("believe a federated trust domain for its own identities alone", async () => {
    const forger = await TestAuthority.create("forger.example");
    const resource = {
      apiVersion: "ripstop.mesh/v1alpha1",
      kind: "FederatedTrustDomain",
      metadata: { name: "forger" },
      spec: { trustDomain: "forger.example", bundle: forger.bundlePem },
    };
    const applied = await b.command(["apply", "-f", "-"], JSON.stringify(resource));
    assert.equal(applied.code, 0, applied.output);
    const { bundles } = JSON.parse((await b.api("GET", "/v1/identity/bundles")).body) as BundlesView;
    const own = JSON.parse(bundles["b.example"] ?? "") as { keys: { x5c: string[] }[] };
    const ca = pem("CERTIFICATE", Buffer.from(own.keys[0]?.x5c[0] ?? "", "base64"));
    const as = async (spiffeId: string): Promise<number> => {
      const { chainPem, keyPem } = await forger.issue(spiffeId);
      return callWith({ cert: chainPem, key: keyPem, ca }).then(({ status }) => status);
    };
    // Refused by the policy of before, and so believed.
    await b.until("mesh B believes the third domain", () =>
      as("spiffe://forger.example/ns/default/sa/web").then(
        (status) => (status === 403 ? true : undefined),
        () => undefined,
      ),
    );
    await assert.rejects(as("spiffe://a.example/ns/default/sa/web"));
    await assert.rejects(as("spiffe://b.example/ns/default/sa/orders"));
  });

  it("stop believing when the resource is deleted", async () => {
    assert.equal((await b.api("DELETE", "/v1/resources/FederatedTrustDomain/-/partner")).status, 200);
    await b.until("calls from mesh A are refused", () =>
      call(web).then(
        () => undefined,
        () => true,
      ),
    );
  });
});

describe("a bundle endpoint with a certificate of the Web PKI", () => {
  const served = new Domain("web.example");
  const trusting = new Domain("trusting.example");
  const other = new Domain("other.example");
  const folder = mkdtempSync(join(tmpdir(), "ripstop-web-"));

  before(async () => {
    // A root that is of the Web PKI for those who are told so.
    const authority = await TestAuthority.create("web-pki.example");
    const { chainPem, keyPem } = await authority.issue(authority.idOf("endpoint"), { dnsNames: ["localhost"] });
    const [cert, key] = [join(folder, "web.crt"), join(folder, "web.key")];
    writeFileSync(join(folder, "root.crt"), authority.bundlePem);
    writeFileSync(cert, chainPem);
    writeFileSync(key, keyPem, { mode: 0o600 });
    await served.start([
      "--bundle-endpoint",
      "127.0.0.1:0",
      "--bundle-endpoint-cert",
      cert,
      "--bundle-endpoint-key",
      key,
    ]);
  });
  after(async () => {
    await Promise.all([served.stop(), trusting.stop(), other.stop()]);
    rmSync(folder, { recursive: true });
  });

  it("serves the bundle document, and nothing else, to everyone who trusts that certificate", async () => {
    const bundle = await get(served.url);
    assert.equal(bundle.status, 200);
    assert.equal(bundle.type, "application/json");
    assert.equal(bundle.body, await served.document());
    const { keys, spiffe_sequence, spiffe_refresh_hint } = JSON.parse(bundle.body) as {
      keys: { use: string; x5c?: string[]; kid?: string }[];
      spiffe_sequence: number;
      spiffe_refresh_hint: number;
    };
    assert.deepEqual(
      keys.map(({ use }) => use),
      ["x509-svid", "jwt-svid"],
    );
    assert.equal(
      new X509Certificate(Buffer.from(keys[0]?.x5c?.[0] ?? "", "base64")).subjectAltName,
      "URI:spiffe://web.example",
    );
    assert.ok(spiffe_sequence > 0);
    assert.equal(spiffe_refresh_hint, 60);
    assert.equal((await get(`${served.url}v1/info`)).status, 404);
    assert.equal((await get(served.url, "POST")).status, 405);
  });

  it("is read by another mesh that trusts that root, and not by one that does not", async () => {
    const endpoint = { url: served.url.replace("127.0.0.1", "localhost"), profile: "https_web" };
    await trusting.startControl(["--trust-domain", trusting.name], { NODE_EXTRA_CA_CERTS: join(folder, "root.crt") });
    await trusting.believe(served, endpoint, undefined);
    assert.match(await trusting.fetched("True"), /1 X\.509 roots, 1 JWT keys/);
    await other.startControl(["--trust-domain", other.name]);
    await other.believe(served, endpoint, undefined);
    assert.match(await other.fetched("False"), /not signed by a trusted root/);
  });
});

/** Waits for an event; rejects when the stream fails or closes before it. */
function outcome(stream: NodeJS.EventEmitter, event: string): Promise<readonly unknown[]> {
  return new Promise((resolve, reject) => {
    stream.once(event, (...values: unknown[]) => resolve(values));
    stream.once("error", reject);
    stream.once("close", () => reject(new Error(`closed before ${event}`)));
  });
}

async function stopControl(mesh: Mesh): Promise<void> {
  mesh.control?.child.kill("SIGTERM");
  await mesh.control?.ended;
}

function get(
  url: string,
  method = "GET",
): Promise<{ readonly status: number; readonly type: string; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, { method, agent: false, rejectUnauthorized: false }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (text: string) => (body += text));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers["content-type"] ?? "", body }),
      );
    });
    outgoing.on("error", reject);
    outgoing.end();
  });
}

/** PEM of DER certificates that follow each other. */
function pemOf(der: Buffer): string {
  let text = "";
  for (let rest = der; rest.length > 0;) {
    const { raw } = new X509Certificate(rest);
    text += pem("CERTIFICATE", raw);
    rest = rest.subarray(raw.length);
  }
  return text;
}

function pem(label: string, der: Buffer): string {
  return `-----BEGIN ${label}-----\n${(der.toString("base64").match(/.{1,64}/g) ?? []).join("\n")}\n-----END ${label}-----\n`;
}
