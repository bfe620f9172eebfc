// Joining over the real listener: who gets in, as whom, and what everyone else is told.

import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { join as joinPath } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { systemClock, type Clock } from "@ripstop/core";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import type { ApiError, CreatedJoinTokenView, NodeEntries, NodeSvidResponse, RegisterResponse } from "@ripstop/model";
import { createMetricRegistry } from "@ripstop/telemetry";
import { StoppedClock } from "@ripstop/testkit";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from "jose";

import { TestControl } from "../control.fixture.ts";
import { JoinLimits } from "./join-limits.ts";

const DAY_MS = 24 * 3_600_000;
const WEB = "spiffe://mesh.local/ns/shop/sa/web";

interface Proof {
  readonly keyPem: string;
  readonly svidChainPem: string;
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

let mesh: TestControl;
let offsetMs: number;
let laterMs: number;
const metrics = createMetricRegistry();
const clock: Clock = {
  ...systemClock,
  nowMs: () => systemClock.nowMs() + offsetMs,
  monotonicMs: () => systemClock.monotonicMs() + laterMs,
};

function send(method: string, path: string, body?: unknown, proof?: Proof): Promise<Answer> {
  const [host, port] = mesh.control.joinAddress.split(":");
  return new Promise((resolve, reject) => {
    const outgoing = request(
      {
        ...{ host, port: Number(port), method, path, agent: false, rejectUnauthorized: false },
        ...(proof === undefined ? {} : { cert: proof.svidChainPem, key: proof.keyPem }),
      },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => (text += chunk));
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

async function token(bound: object, ttlMs = 60_000): Promise<string> {
  const made = await mesh.send("POST", "/v1/join/tokens", { ttlMs, ...bound });
  assert.equal(made.status, 200, made.text);
  return made.json<CreatedJoinTokenView>().token;
}

const webToken = (): Promise<string> => token({ namespace: "shop", serviceAccount: "web" });
const registration = (csrPem: string, service = "web", namespace = "shop"): object => ({
  service,
  namespace,
  labels: {},
  ports: [],
  csrPem,
  pid: 1,
});

async function join(
  evidence: { readonly type: string; readonly text: string },
  change: {
    readonly csrPem?: string;
    readonly service?: string;
    readonly namespace?: string;
    readonly aheadMs?: number;
  } = {},
): Promise<Answer & { readonly keyPem: string }> {
  const { service = "web", namespace = "shop", aheadMs = 0 } = change;
  const made = await createKeyAndCsr(`spiffe://mesh.local/ns/${namespace}/sa/${service}`);
  const body = {
    evidence,
    timeMs: clock.nowMs() + aheadMs,
    registration: registration(change.csrPem ?? made.csrPem, service, namespace),
  };
  return { ...(await send("POST", "/v1/join", body)), keyPem: made.keyPem };
}

function codeOf(answer: Answer): string {
  return (JSON.parse(answer.text) as ApiError).error.code;
}

function messageOf(answer: Answer): string {
  return (JSON.parse(answer.text) as ApiError).error.message;
}

async function joinedWeb(): Promise<Proof & RegisterResponse> {
  const answer = await join({ type: "token", text: await webToken() });
  assert.equal(answer.status, 200, answer.text);
  return { ...(JSON.parse(answer.text) as RegisterResponse), keyPem: answer.keyPem };
}

async function joinedNode(name: string): Promise<Proof & NodeSvidResponse> {
  const made = await createKeyAndCsr(`spiffe://mesh.local/node/${name}`);
  const evidence = { type: "token", text: await token({ node: name }) };
  const answer = await send("POST", "/v1/join/node", { evidence, timeMs: clock.nowMs(), name, csrPem: made.csrPem });
  assert.equal(answer.status, 200, answer.text);
  return { ...(JSON.parse(answer.text) as NodeSvidResponse), keyPem: made.keyPem };
}

async function renewNode(node: Proof & NodeSvidResponse): Promise<Answer & Proof & NodeSvidResponse> {
  const made = await createKeyAndCsr(node.spiffeId);
  const answer = await send("POST", `/v1/nodes/${node.name}/svid`, { csrPem: made.csrPem }, node);
  return { ...node, ...(JSON.parse(answer.text) as NodeSvidResponse), ...answer, keyPem: made.keyPem };
}

async function counted(reason: string): Promise<number> {
  const text = (await mesh.send("GET", "/metrics")).text;
  return Number(new RegExp(`joins_refused_total\\{reason="${reason}"\\} ([0-9]+)`).exec(text)?.[1] ?? 0);
}

beforeEach(async () => {
  offsetMs = 0;
  laterMs = 0;
  mesh = await TestControl.start({ clock, metrics });
});
afterEach(() => mesh.close());

describe("joining with a token", () => {
  it("gives exactly the identity that the token is for, once", async () => {
    const text = await webToken();
    const answer = await join({ type: "token", text });
    assert.equal(answer.status, 200, answer.text);
    const { svidChainPem } = JSON.parse(answer.text) as RegisterResponse;
    assert.equal(new X509Certificate(svidChainPem).subjectAltName, `URI:${WEB}`);
    const before = await counted("join_token_used");
    const again = await join({ type: "token", text });
    assert.equal(codeOf(again), "RS3041");
    assert.match(messageOf(again), /for shop\/web was used at/);
    assert.equal(await counted("join_token_used"), before + 1);
    const events = (await mesh.send("GET", "/v1/events")).text;
    assert.match(events, /JoinRefused/);
  });

  it("lets one of two joins at the same moment in", async () => {
    const text = await webToken();
    const answers = await Promise.all([join({ type: "token", text }), join({ type: "token", text })]);
    assert.deepEqual(
      answers.map(({ status }) => status).sort((a, b) => a - b),
      [200, 401],
    );
  });

  it("lets a crowd in that comes at one moment", async () => {
    const tokens = await Promise.all(Array.from({ length: 40 }, webToken));
    const answers = await Promise.all(tokens.map((text) => join({ type: "token", text })));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    const ids = answers.map(({ text }) => (JSON.parse(text) as RegisterResponse).workloadId);
    assert.equal(new Set(ids).size, 40);
  });

  it("answers again when the answer was lost, to the same key", async () => {
    const text = await webToken();
    const { csrPem } = await createKeyAndCsr(WEB);
    assert.equal((await join({ type: "token", text }, { csrPem })).status, 200);
    assert.equal((await join({ type: "token", text }, { csrPem })).status, 200);
    offsetMs = 11 * 60_000;
    assert.equal(codeOf(await join({ type: "token", text }, { csrPem })), "RS3041");
  });

  it("refuses another identity, an expired, revoked or unknown token, and identities of the mesh itself", async () => {
    const text = await webToken();
    const other = await join({ type: "token", text }, { service: "payments" });
    assert.equal(codeOf(other), "RS3043");
    assert.match(messageOf(other), /is for shop\/web, not for shop\/payments/);
    offsetMs = 61_000;
    assert.equal(codeOf(await join({ type: "token", text })), "RS3042");
    offsetMs = 0;
    assert.equal(codeOf(await join({ type: "token", text: `rsj1.${"A".repeat(43)}.${"A".repeat(43)}` })), "RS3040");
    assert.equal(codeOf(await join({ type: "token", text: "nonsense" })), "RS3040");
    const [listed] = (await mesh.send("GET", "/v1/join/tokens")).json<{ tokens: { id: string }[] }>().tokens;
    assert.equal((await mesh.send("DELETE", `/v1/join/tokens/${listed?.id}`)).status, 200);
    assert.equal(codeOf(await join({ type: "token", text })), "RS3040");
    const reserved = { namespace: "ripstop-system", service: "control" };
    assert.equal(codeOf(await join({ type: "token", text: await webToken() }, reserved)), "RS3050");
    assert.equal(
      (
        await mesh.send("POST", "/v1/join/tokens", {
          ttlMs: 60_000,
          namespace: "ripstop-system",
          serviceAccount: "control",
        })
      ).status,
      403,
    );
  });

  it("keeps nothing of a token but its hash", async () => {
    const text = await webToken();
    const secret = text.split(".")[1] ?? "";
    assert.ok(secret.length > 40);
    assert.ok(!(await mesh.send("GET", "/v1/join/tokens")).text.includes(secret));
    const files = readdirSync(mesh.home, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    assert.ok(files.length > 5);
    for (const { parentPath, name } of files) {
      assert.ok(!readFileSync(joinPath(parentPath, name)).includes(secret), name);
    }
  });

  it("comes through a restart of the control plane", async () => {
    const text = await webToken();
    await mesh.restart();
    assert.equal((await join({ type: "token", text })).status, 200);
    await mesh.restart();
    assert.equal(codeOf(await join({ type: "token", text })), "RS3041");
  });
});

describe("bad requests to join", () => {
  const wrongKey = (): string =>
    execFileSync("openssl", ["req", "-new", "-newkey", "ed25519", "-nodes", "-keyout", "/dev/null", "-subj", "/O=x"], {
      stdio: ["ignore", "pipe", "ignore"],
    }).toString();

  const cases: readonly {
    readonly name: string;
    csr(): Promise<string> | string;
    readonly status: number;
    readonly code: RegExp;
  }[] = [
    { name: "a malformed CSR", csr: () => "garbage", status: 422, code: /RS2001/ },
    { name: "an empty CSR", csr: () => "", status: 400, code: /violation/ },
    { name: "a CSR of 17 KiB", csr: () => "A".repeat(17_000), status: 400, code: /violation/ },
    { name: "a body of 200 KiB", csr: () => "A".repeat(200_000), status: 413, code: /bytes/ },
    {
      name: "a CSR for another identity",
      csr: async () => (await createKeyAndCsr("spiffe://mesh.local/ns/shop/sa/payments")).csrPem,
      status: 422,
      code: /RS2005/,
    },
    { name: "a key of a wrong type", csr: wrongKey, status: 422, code: /RS2004/ },
  ];
  for (const { name, csr, status, code } of cases) {
    it(`refuses ${name}, says why, and leaves the token good`, async () => {
      const text = await webToken();
      const answer = await join({ type: "token", text }, { csrPem: await csr() });
      assert.equal(answer.status, status, answer.text);
      assert.match(messageOf(answer), code);
      assert.equal((await join({ type: "token", text })).status, 200);
    });
  }

  it("tolerates a clock that is 5 min off and refuses one that is an hour off, saying so", async () => {
    const text = await webToken();
    for (const [aheadMs, words] of [
      [3_600_000, /60 min ahead/],
      [-3_600_000, /60 min behind/],
    ] as const) {
      const answer = await join({ type: "token", text }, { aheadMs });
      assert.equal(codeOf(answer), "RS3045");
      assert.match(messageOf(answer), words);
    }
    assert.equal((await join({ type: "token", text }, { aheadMs: -299_000 })).status, 200);
  });

  it("takes so many refusals from an address, and then none for a while", () => {
    const stopped = new StoppedClock();
    const limits = new JoinLimits(stopped);
    let refusals = 0;
    while (limits.admit("10.0.0.1") && refusals < 1_000) {
      refusals++;
      limits.refused("10.0.0.1");
    }
    assert.equal(refusals, 30);
    assert.equal(limits.admit("10.0.0.2"), true);
    stopped.advance(10_000);
    assert.equal(limits.admit("10.0.0.1"), true);
  });
});

describe("after joining", () => {
  it("renews, reports and leaves on the SVID in use, without any token", async () => {
    const web = await joinedWeb();
    const path = `/v1/workloads/${web.workloadId}`;
    const made = await createKeyAndCsr(WEB);
    const renewed = await send("POST", `${path}/svid`, { csrPem: made.csrPem }, web);
    assert.equal(renewed.status, 200, renewed.text);
    const next: Proof = { keyPem: made.keyPem, svidChainPem: (JSON.parse(renewed.text) as Proof).svidChainPem };
    assert.equal((await send("PUT", path, { inboundAddress: "", ready: true }, next)).status, 200);
    assert.equal(
      (await send("POST", "/v1/workloads", registration((await createKeyAndCsr(WEB)).csrPem), next)).status,
      200,
    );
    assert.equal((await send("DELETE", path, undefined, next)).status, 200);
    assert.equal((await send("PUT", path, { inboundAddress: "", ready: true }, next)).status, 404);
  });

  it("refuses who shows no SVID, one that has expired, or one of somebody else", async () => {
    const web = await joinedWeb();
    const path = `/v1/workloads/${web.workloadId}`;
    const { csrPem } = await createKeyAndCsr(WEB);
    assert.equal(codeOf(await send("POST", `${path}/svid`, { csrPem })), "RS3047");
    const otherToken = await token({ namespace: "shop", serviceAccount: "payments" });
    const joined = await join({ type: "token", text: otherToken }, { service: "payments" });
    const payments = { ...(JSON.parse(joined.text) as RegisterResponse), keyPem: joined.keyPem };
    assert.equal(codeOf(await send("POST", `${path}/svid`, { csrPem }, payments)), "RS3048");
    assert.equal(codeOf(await send("POST", "/v1/workloads", registration(csrPem), payments)), "RS3048");
    assert.equal(codeOf(await send("GET", "/v1/nodes/edge-1/entries", undefined, payments)), "RS3048");
    offsetMs = 2 * 3_600_000;
    const late = await send("POST", `${path}/svid`, { csrPem }, web);
    assert.equal(codeOf(late), "RS3047");
    assert.match(messageOf(late), /expired 60 min ago/);
  });

  it("serves nothing else of the API", async () => {
    const web = await joinedWeb();
    for (const path of ["/v1/resources", "/v1/workloads", "/v1/join/tokens", "/v1/nodes", "/metrics"]) {
      assert.ok([404, 405].includes((await send("GET", path, undefined, web)).status), path);
    }
  });
});

describe("joining with a platform's token", () => {
  let issuer: Server;
  let url: string;
  let keys: JWK[];
  let fetched: number;

  beforeEach(async () => {
    fetched = 0;
    issuer = createServer((incoming, response) => {
      fetched++;
      const isKeys = incoming.url === "/keys";
      response.end(JSON.stringify(isKeys ? { keys } : { issuer: url, jwks_uri: `${url}/keys` }));
    });
    await new Promise<void>((resolve) => issuer.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
    await mesh.apply(`
apiVersion: ripstop.mesh/v1alpha1
kind: TokenIssuer
metadata: {name: cluster}
spec: {issuer: "${url}", audience: ripstop, kubernetes: true, nodes: {subject: "system:serviceaccount:ops:agent", claim: /kubernetes.io/node/name}}
---
apiVersion: ripstop.mesh/v1alpha1
kind: WorkloadIdentity
metadata: {name: deployer, namespace: ops}
spec: {jwt: {issuer: cluster, claims: {repository: acme/shop, /nested/env: prod}}}
`);
  });
  afterEach(() => void issuer.close());

  async function newKey(kid: string): Promise<CryptoKey> {
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    keys = [{ ...(await exportJWK(publicKey)), kid, alg: "ES256" }];
    return privateKey;
  }

  interface Claims {
    readonly sub?: string;
    readonly aud?: string;
    readonly iss?: string;
    readonly ageS?: number;
    readonly lifeS?: number;
    readonly more?: Readonly<Record<string, unknown>>;
  }

  function sign(key: CryptoKey, kid: string, change: Claims = {}): Promise<string> {
    const {
      sub = "system:serviceaccount:shop:web",
      aud = "ripstop",
      iss = url,
      ageS = 0,
      lifeS = 600,
      more = {},
    } = change;
    const issued = Math.floor(clock.nowMs() / 1000) - ageS;
    return new SignJWT(more)
      .setProtectedHeader({ alg: "ES256", kid })
      .setSubject(sub)
      .setAudience(aud)
      .setIssuer(iss)
      .setIssuedAt(issued)
      .setNotBefore(issued)
      .setExpirationTime(issued + lifeS)
      .sign(key);
  }

  it("takes the projected token of a Kubernetes service account for that identity alone", async () => {
    const key = await newKey("a");
    const text = await sign(key, "a");
    assert.equal((await join({ type: "jwt", text })).status, 200);
    const other = await join({ type: "jwt", text }, { service: "payments" });
    assert.equal(codeOf(other), "RS3043");
    assert.match(messageOf(other), /system:serviceaccount:shop:web of .* is not shop\/payments/);
    assert.equal(fetched, 2, "discovery and keys are fetched once");
  });

  it("takes a token whose claims an entry names", async () => {
    const key = await newKey("a");
    const more = { repository: "acme/shop", nested: { env: "prod" } };
    const evidence = { type: "jwt", text: await sign(key, "a", { sub: "job-1", more }) };
    assert.equal((await join(evidence, { namespace: "ops", service: "deployer" })).status, 200);
    const stage = { ...more, nested: { env: "stage" } };
    const wrong = { type: "jwt", text: await sign(key, "a", { sub: "job-1", more: stage }) };
    assert.equal(codeOf(await join(wrong, { namespace: "ops", service: "deployer" })), "RS3043");
  });

  it("joins a node by the claim that names it", async () => {
    const key = await newKey("a");
    const more = { "kubernetes.io": { node: { name: "edge-1" } } };
    const evidence = { type: "jwt", text: await sign(key, "a", { sub: "system:serviceaccount:ops:agent", more }) };
    for (const [name, status] of [
      ["edge-1", 200],
      ["edge-2", 403],
    ] as const) {
      const { csrPem } = await createKeyAndCsr(`spiffe://mesh.local/node/${name}`);
      const answer = await send("POST", "/v1/join/node", { evidence, timeMs: clock.nowMs(), name, csrPem });
      assert.equal(answer.status, status, answer.text);
    }
  });

  it("follows the issuer to a new key", async () => {
    const old = await newKey("a");
    assert.equal((await join({ type: "jwt", text: await sign(old, "a") })).status, 200);
    const fresh = await newKey("b");
    const text = await sign(fresh, "b");
    const early = await join({ type: "jwt", text });
    assert.match(messageOf(early), /does not publish/);
    assert.equal(early.status, 401, "keys were fetched a moment ago, and are not again at every unknown key");
    laterMs = 11_000;
    assert.equal((await join({ type: "jwt", text })).status, 200);
  });

  it("refuses what is stale, foreign, for others, or not signed by the issuer, and says which", async () => {
    const key = await newKey("a");
    const { privateKey: thief } = await generateKeyPair("ES256");
    const unsigned = `${Buffer.from('{"alg":"none"}').toString("base64url")}.${(await sign(key, "a")).split(".")[1]}.`;
    const cases: readonly (readonly [string, RegExp])[] = [
      [await sign(key, "a", { aud: "other" }), /audience "other", not "ripstop"/],
      [await sign(key, "a", { ageS: 4_800, lifeS: 1_200 }), /expired 60 min ago/],
      [await sign(key, "a", { ageS: -3_600 }), /valid only in 60 min: the clocks differ/],
      [await sign(key, "a", { iss: "https://elsewhere.example" }), /no TokenIssuer/],
      [await sign(thief, "a"), /signature is wrong/],
      [await sign(thief, "z"), /does not publish/],
      [unsigned, /algorithm|refused/],
      ["a.b.c", /no JWT/],
    ];
    for (const [text, reason] of cases) {
      const answer = await join({ type: "jwt", text });
      assert.equal(codeOf(answer), "RS3044", text);
      assert.match(messageOf(answer), reason);
    }
    assert.equal(
      (await join({ type: "jwt", text: await sign(key, "a", { ageS: 840, lifeS: 600 }) })).status,
      200,
      "4 min late",
    );
  });
});

describe("nodes", () => {
  const entry = (name: string, nodes: string): string => `
apiVersion: ripstop.mesh/v1alpha1
kind: WorkloadIdentity
metadata: {name: ${name}, namespace: shop}
spec: {nodes: ${nodes}, process: {uid: 1000}}
---`;

  it("get identities of their own processes alone", async () => {
    await mesh.apply(entry("web", "[edge-1]") + entry("payments", "[edge-2]") + entry("any", "[]"));
    const node = await joinedNode("edge-1");
    assert.equal(new X509Certificate(node.svidChainPem).subjectAltName, "URI:spiffe://mesh.local/node/edge-1");
    const answer = await send("GET", "/v1/nodes/edge-1/entries", undefined, node);
    const { entries } = JSON.parse(answer.text) as NodeEntries;
    assert.deepEqual(entries.map(({ name }) => name).sort(), ["shop/any", "shop/web"]);
    const ask = async (name: string, id: string): Promise<Answer> =>
      send("POST", "/v1/nodes/edge-1/svids", { entry: name, csrPem: (await createKeyAndCsr(id)).csrPem }, node);
    assert.equal((await ask("shop/web", WEB)).status, 200);
    assert.equal(codeOf(await ask("shop/payments", "spiffe://mesh.local/ns/shop/sa/payments")), "RS3043");
    assert.equal(codeOf(await ask("shop/web", "spiffe://mesh.local/ns/shop/sa/payments")), "RS3019");
    assert.equal(codeOf(await send("GET", "/v1/nodes/edge-2/entries", undefined, node)), "RS3048");
    const jwt = await send("POST", "/v1/nodes/edge-1/jwt-svids", { entry: "shop/web", audience: ["bank"] }, node);
    assert.equal(jwt.status, 200, jwt.text);
  });

  it("come back after 30 days off by their key, with the SVID long expired", async () => {
    const node = await joinedNode("edge-1");
    offsetMs = 30 * DAY_MS;
    assert.equal(codeOf(await send("GET", "/v1/nodes/edge-1/entries", undefined, node)), "RS3047");
    const back = await renewNode(node);
    assert.equal(back.status, 200, back.text);
    assert.ok(back.notAfterMs > clock.nowMs());
    offsetMs = 121 * DAY_MS;
    const late = await renewNode(back);
    assert.equal(codeOf(late), "RS3049");
    assert.match(messageOf(late), /was last heard at/);
  });

  it("lose a copied key once they have renewed twice, and everything when removed", async () => {
    const node = await joinedNode("edge-1");
    const copy = { ...node };
    const once = await renewNode(node);
    assert.equal((await renewNode(once)).status, 200);
    assert.equal(codeOf(await renewNode(copy)), "RS3049");
    const other = await joinedNode("edge-2");
    assert.equal((await mesh.send("DELETE", "/v1/nodes/edge-2")).status, 200);
    assert.equal(codeOf(await renewNode(other)), "RS3049");
    assert.equal(codeOf(await send("GET", "/v1/nodes/edge-2/entries", undefined, other)), "RS3048");
  });

  it("may renew again when the answer was lost", async () => {
    const node = await joinedNode("edge-1");
    assert.equal((await renewNode(node)).status, 200);
    assert.equal((await renewNode(node)).status, 200);
  });
});
