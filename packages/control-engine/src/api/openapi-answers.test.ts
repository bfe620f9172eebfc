// What the API answers is what its description says: every operation is called, and its real answer is checked against
// the schema that the description gives for it.

import assert from "node:assert/strict";
import { request } from "node:https";
import { after, before, describe, it } from "node:test";

import { Ajv2020 } from "ajv/dist/2020.js";

import { systemClock } from "@ripstop/core";
import { createKeyAndCsr } from "@ripstop/identity/csr";

import { TestControl, type Answer } from "../control.fixture.ts";

interface Described {
  readonly operationId: string;
  readonly responses: { readonly "200": { readonly content: Readonly<Record<string, { readonly schema: object }>> } };
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>;
  readonly components: unknown;
}

/** An operation whose answer never ends: its lines are read in the tests of taps. */
const ENDLESS = ["tap"];
/** Without fields, or with those of another standard. */
const FREE = [...ENDLESS, "leaveWorkload", "backup", "getOpenApi"];

const MESH = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec: {parentRefs: [{group: "", kind: Service, name: web}], rules: [{backendRefs: [{name: web, port: 80}]}]}
`;

let mesh: TestControl;
let document: Document;
const ajv = new Ajv2020({ strict: false, validateFormats: false });
const called = new Set<string>();

before(async () => {
  mesh = await TestControl.start();
  document = (await mesh.send("GET", "/v1/openapi.json")).json<Document>();
  ajv.addSchema({ $id: "api", components: document.components });
});
after(() => mesh.close());

function describedAs(method: string, path: string): Described {
  const parts = path.split("?")[0]?.split("/") ?? [];
  for (const [template, methods] of Object.entries(document.paths)) {
    const wanted = template.split("/");
    const fits =
      wanted.length === parts.length && wanted.every((part, at) => part === parts[at] || part.startsWith("{"));
    const found = fits ? methods[method.toLowerCase()] : undefined;
    if (found !== undefined) return found;
  }
  throw new Error(`the description has no ${method} ${path}`);
}

/** Calls an operation that must succeed; the answer's JSON, or its text when it is none. */
async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const { operationId, responses } = describedAs(method, path);
  const answer: Answer = await mesh.send(method, path, body);
  assert.equal(answer.status, 200, `${operationId}: ${answer.text}`);
  const [[type, { schema }] = ["", { schema: {} }]] = Object.entries(responses["200"].content);
  assert.ok(answer.headers["content-type"]?.startsWith(type), `${operationId}: ${answer.headers["content-type"]}`);
  const text = JSON.stringify(schema).replaceAll('"#/components', '"api#/components');
  const validate = ajv.compile(JSON.parse(text) as object);
  const values: unknown[] =
    type === "text/plain"
      ? [answer.text]
      : type === "application/x-ndjson"
        ? answer.text
            .trim()
            .split("\n")
            .map((line): unknown => JSON.parse(line))
        : [answer.json()];
  for (const value of values) {
    assert.ok(validate(value), `${operationId}: ${JSON.stringify(validate.errors)} in ${JSON.stringify(value)}`);
  }
  called.add(operationId);
  return values[0] as T;
}

/** As an agent does it, on the join listener. */
async function joinNode(name: string): Promise<void> {
  const { token } = await call<{ readonly token: string }>("POST", "/v1/join/tokens", { ttlMs: 600_000, node: name });
  const { csrPem } = await createKeyAndCsr(`spiffe://mesh.local/node/${name}`);
  const [host, port] = mesh.control.joinAddress.split(":");
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const asking = request(
      { host, port, method: "POST", path: "/v1/join/node", rejectUnauthorized: false, agent: false },
      (response) => response.resume().on("end", () => resolve(response.statusCode)),
    );
    asking.on("error", reject);
    asking.end(JSON.stringify({ evidence: { type: "token", text: token }, timeMs: systemClock.nowMs(), name, csrPem }));
  });
  assert.equal(status, 200);
}

describe("the answers of the API", () => {
  it("are as described for resources and their history", async () => {
    const documents = [{ file: "mesh.yaml", text: MESH }];
    await call("POST", "/v1/diff", { documents });
    const { revision } = await call<{ readonly revision: number }>("POST", "/v1/apply", { documents });
    await call("GET", "/v1/resources?limit=2");
    await call("GET", "/v1/resources/HTTPRoute/shop/web");
    await call("GET", "/v1/kinds");
    await call("GET", `/v1/revisions/${revision}/live?waitMs=10`);
    await call("DELETE", "/v1/resources/Service/shop/web");
    await call("GET", "/v1/revisions?limit=1");
    await call("GET", `/v1/diff?from=${revision}`);
    await call("POST", "/v1/rollback", { to: revision });
    const backup = await mesh.send("POST", "/v1/backup", {});
    await call("POST", "/v1/backup", {});
    await call("POST", "/v1/restore", backup.text);
  });

  it("are as described for workloads, nodes and join tokens", async () => {
    const { csrPem } = await createKeyAndCsr("spiffe://mesh.local/ns/shop/sa/web");
    const registered = await call<{ readonly workloadId: string }>("POST", "/v1/workloads", {
      service: "web",
      namespace: "shop",
      labels: { version: "v1" },
      ports: [{ port: 8080, servicePort: 80, protocol: "http", applicationAddress: "127.0.0.1:8080" }],
      csrPem,
      pid: process.pid,
    });
    const path = `/v1/workloads/${registered.workloadId}`;
    await call("PUT", path, { inboundAddress: "127.0.0.1:9", ready: true });
    await call("GET", "/v1/workloads");
    await call("POST", `${path}/svid`, { csrPem });
    await call("POST", `${path}/jwt-svid`, { audience: ["shop"] });
    await joinNode("edge-1");
    await call("GET", "/v1/nodes");
    await call("DELETE", "/v1/nodes/edge-1");
    const { id } = await call<{ readonly id: string }>("POST", "/v1/join/tokens", { ttlMs: 60_000, node: "edge-2" });
    await call("GET", "/v1/join/tokens");
    await call("DELETE", `/v1/join/tokens/${id}`);
    // What is told of identities says more while somebody has one.
    await identities(csrPem);
    await call("DELETE", path);
  });

  it("are as described for looking", async () => {
    for (const path of ["graph", "events", "egress", "mirrors", "proxies", "info", "openapi.json"])
      await call("GET", `/v1/${path}`);
    await call("GET", "/healthz");
    await call("GET", "/metrics");
  });

  it("are as described for access", async () => {
    await call("GET", "/v1/access/whoami");
    const wish = { name: "ci", role: "viewer", namespaces: ["shop"], ttlMs: 60_000 };
    const { id } = await call<{ readonly id: string }>("POST", "/v1/access/tokens", wish);
    await call("GET", "/v1/access/tokens");
    await call("DELETE", `/v1/access/tokens/${id}`);
    await call("GET", "/v1/audit");
  });

  it("have been looked at for every operation that there is", () => {
    const all = Object.values(document.paths).flatMap((path) => Object.values(path).map((one) => one.operationId));
    assert.deepEqual([...called, ...ENDLESS].sort(), all.toSorted());
  });

  it("are described field by field", () => {
    const bare = Object.values(document.paths)
      .flatMap((path) => Object.values(path))
      .filter(({ responses }) =>
        Object.values(responses["200"].content).some(({ schema }) => JSON.stringify(schema) === '{"type":"object"}'),
      )
      .map(({ operationId }) => operationId);
    assert.deepEqual(bare.toSorted(), FREE.toSorted());
  });
});

async function identities(csrPem: string): Promise<void> {
  const spiffeId = "spiffe://mesh.local/ns/shop/sa/web";
  await call("GET", "/v1/identity/identities");
  await call("GET", `/v1/identity/identity?id=${encodeURIComponent(spiffeId)}`);
  await call("POST", "/v1/identity/issue", { spiffeId, csrPem });
  const other = "spiffe://mesh.local/ns/shop/sa/old";
  await call("POST", "/v1/identity/revocations", { spiffeId: other, reason: "a test", waitMs: 0 });
  await call("GET", "/v1/identity/revocations");
  await call("GET", "/v1/identity/identities");
  await call("DELETE", `/v1/identity/revocations?spiffeId=${encodeURIComponent(other)}`);
  await call("GET", "/v1/identity/bundle");
  await call("GET", "/v1/identity/bundles");
  await call("GET", "/v1/identity/health");
  // The workload has no proxy: it holds the rotation up, and so it can be given up.
  await call("POST", "/v1/identity/rotation", {});
  await call("GET", "/v1/identity/rotation");
  await call("DELETE", "/v1/identity/rotation");
  await call("GET", "/v1/identity/rotation");
  await call("POST", "/v1/identity/recovery", { force: true });
}
