// Gateways: what becomes of listeners, routes and policies, what proxies are told, and that a change touches its own alone.

import assert from "node:assert/strict";
import { afterEach, before, beforeEach, describe, it } from "node:test";

import {
  type ClosedGatewayPort,
  GatewayListener_Kind,
  gatewayRoutesType,
  gatewayRouteType,
  gatewayType,
  PathMatch_Type,
  routesType,
  serviceType,
  workloadType,
} from "@ripstop/model";
import { isRecord } from "@ripstop/resources";
import { TestAuthority, type TestSvid } from "@ripstop/testkit";

import { GatewayBench, tlsSecret } from "./gateway-bench.suite.ts";

const API = "apiVersion: gateway.networking.k8s.io/v1";

function gateway(listeners: string, more = "", name = "edge"): string {
  return `${API}\nkind: Gateway\nmetadata: {name: ${name}, namespace: infra}\nspec: {gatewayClassName: ripstop, listeners: ${listeners}${more}}`;
}

function route(kind: string, name: string, spec: string, namespace = "infra"): string {
  return `${API}\nkind: ${kind}\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}`;
}

function service(name: string, namespace = "infra"): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: {ports: [{name: http, port: 80}, {name: tls, port: 443}]}`;
}

function grant(namespace: string, from: string, to: string): string {
  return `${API}\nkind: ReferenceGrant\nmetadata: {name: ${from.toLowerCase()}-${to.toLowerCase()}, namespace: ${namespace}}\nspec: {from: [{group: gateway.networking.k8s.io, kind: ${from}, namespace: infra}], to: [{group: "", kind: ${to}}]}`;
}

const HTTP = "{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}";
const TO_EDGE = "parentRefs: [{name: edge, namespace: infra}]";
const TO_CATALOG = "backendRefs: [{name: catalog, port: 80}]";

let bench: GatewayBench;
let svid: TestSvid;
let rootPem: string;

before(async () => {
  const authority = await TestAuthority.create();
  rootPem = authority.bundlePem;
  svid = await authority.issue("spiffe://test.mesh/ns/a/sa/b", { dnsNames: ["shop.example"] });
});
beforeEach(() => {
  bench = new GatewayBench();
});
afterEach(() => bench.close());

/** "Accepted=False Reason" of the first condition of each parent. */
function accepted(key: string): readonly string[] {
  const { parents } = bench.status(key);
  assert.ok(Array.isArray(parents));
  return parents.map((_, index) => bench.conditionsOf(key, "parents", index)[0] ?? "");
}

function attachedRoutes(name = "edge"): Readonly<Record<string, unknown>> {
  const { listeners } = bench.status(`Gateway/infra/${name}`);
  assert.ok(Array.isArray(listeners));
  return Object.fromEntries(
    listeners.map((one: unknown) => (isRecord(one) ? [String(one["name"]), one["attachedRoutes"]] : ["", 0])),
  );
}

describe("a Gateway", () => {
  it("is accepted and programmed once a proxy serves it, at that proxy's address", async () => {
    await bench.apply(gateway(`[${HTTP}]`));
    assert.deepEqual(bench.conditionsOf("Gateway/infra/edge"), [
      "Accepted=True Accepted",
      "Programmed=False AddressNotAssigned",
      "ResolvedRefs=True ResolvedRefs",
    ]);
    await bench.host("edge");
    assert.deepEqual(bench.conditionsOf("Gateway/infra/edge"), [
      "Accepted=True Accepted",
      "Programmed=True Programmed",
      "ResolvedRefs=True ResolvedRefs",
    ]);
    assert.deepEqual(bench.status("Gateway/infra/edge")["addresses"], [{ type: "IPAddress", value: "127.0.0.7" }]);
    assert.deepEqual(bench.conditionsOf("Gateway/infra/edge", "listeners", "http"), [
      "Accepted=True Accepted",
      "Conflicted=False NoConflicts",
      "ResolvedRefs=True ResolvedRefs",
      "Programmed=True Programmed",
    ]);
  });

  it("is not programmed where its proxies cannot open a port, and says where and why", async () => {
    const two = HTTP.replace("http", "other").replace("80", "8080");
    const addresses = ", addresses: [{value: 127.0.0.7}, {value: 192.0.2.1}]";
    await bench.apply(gateway(`[${HTTP}, ${two}]`, addresses));
    await bench.host("edge");
    const closed = (address: string, port: number): ClosedGatewayPort => ({
      gateway: "edge",
      address,
      port,
      cause: "no such address",
    });
    const programmed = (...place: readonly string[]): string | undefined =>
      bench.conditionsOf("Gateway/infra/edge", ...place).find((one) => one.startsWith("Programmed"));
    const usable = (): unknown => bench.status("Gateway/infra/edge")["addresses"];
    assert.equal(programmed(), "Programmed=True Programmed");

    await bench.report([closed("192.0.2.1", 80), closed("192.0.2.1", 8080)]);
    assert.equal(programmed(), "Programmed=False AddressNotUsable");
    assert.deepEqual(usable(), [{ type: "IPAddress", value: "127.0.0.7" }]);
    assert.match(
      JSON.stringify(bench.status("Gateway/infra/edge")),
      /port 80 cannot be opened on 192\.0\.2\.1: no such/,
    );
    assert.equal(programmed("listeners", "http"), "Programmed=True Programmed");

    await bench.report([closed("192.0.2.1", 80), closed("127.0.0.7", 80)]);
    assert.equal(programmed(), "Programmed=False AddressNotUsable");
    assert.equal(programmed("listeners", "http"), "Programmed=False Pending");
    assert.equal(programmed("listeners", "other"), "Programmed=True Programmed");

    await bench.report([{ ...closed("127.0.0.7", 80), gateway: "another" }]);
    assert.equal(programmed(), "Programmed=True Programmed");
    assert.deepEqual(usable(), [
      { type: "IPAddress", value: "127.0.0.7" },
      { type: "IPAddress", value: "192.0.2.1" },
    ]);
    await bench.report([]);
    assert.equal(programmed("listeners", "http"), "Programmed=True Programmed");
  });

  it("judges every condition by the generation that it saw, and keeps the time while the status stays", async () => {
    await bench.apply(gateway(`[${HTTP}]`));
    const first = JSON.stringify(bench.status("Gateway/infra/edge"));
    await bench.apply(gateway(`[${HTTP.replace("80", "8080")}]`));
    const second = JSON.stringify(bench.status("Gateway/infra/edge"));
    assert.deepEqual(new Set(first.match(/"observedGeneration":\d+/g)), new Set(['"observedGeneration":1']));
    assert.deepEqual(new Set(second.match(/"observedGeneration":\d+/g)), new Set(['"observedGeneration":2']));
    assert.equal(second.replaceAll('"observedGeneration":2', '"observedGeneration":1'), first);
  });

  it("waits for its class, and leaves those of other controllers alone", async () => {
    const of = (name: string): string => gateway(`[${HTTP}]`).replace("ClassName: ripstop", `ClassName: ${name}`);
    const makeClass = (name: string, controller: string, more = ""): string =>
      `${API}\nkind: GatewayClass\nmetadata: {name: ${name}}\nspec: {controllerName: ${controller}${more}}`;
    await bench.apply(of("missing"));
    assert.deepEqual(bench.conditionsOf("Gateway/infra/edge"), [
      "Accepted=Unknown Pending",
      "Programmed=Unknown Pending",
    ]);
    await bench.apply(makeClass("missing", "other.example/controller"));
    assert.equal(bench.resource("Gateway/infra/edge").status, undefined);
    await bench.apply(of("own"), makeClass("own", "ripstop.mesh/control"));
    assert.equal(bench.conditionsOf("Gateway/infra/edge")[0], "Accepted=True Accepted");
    assert.deepEqual(bench.conditionsOf("GatewayClass/own"), [
      "Accepted=True Accepted",
      "SupportedVersion=True SupportedVersion",
    ]);
    const { supportedFeatures } = bench.status("GatewayClass/own");
    assert.ok(Array.isArray(supportedFeatures) && supportedFeatures.length > 40);
    const names = supportedFeatures.map((one: unknown) => (isRecord(one) ? String(one["name"]) : ""));
    assert.deepEqual(names, names.toSorted());
    await bench.apply(makeClass("own", "ripstop.mesh/control", ", parametersRef: {group: a.b, kind: C, name: d}"));
    assert.deepEqual(bench.conditionsOf("GatewayClass/own")[0], "Accepted=False InvalidParameters");
    assert.equal(bench.conditionsOf("Gateway/infra/edge")[0], "Accepted=False InvalidParameters");
  });

  it("shows what a listener may take, without the kinds that it does not know", async () => {
    const kinds = "allowedRoutes: {kinds: [{kind: HTTPRoute}, {kind: Nonsense}]}";
    await bench.apply(
      gateway(
        `[{name: some, port: 80, protocol: HTTP, ${kinds}}, {name: none, port: 81, protocol: HTTP, allowedRoutes: {kinds: [{kind: TCPRoute}]}}, {name: odd, port: 82, protocol: example.com/odd}]`,
      ),
    );
    const { listeners } = bench.status("Gateway/infra/edge");
    assert.ok(Array.isArray(listeners));
    assert.deepEqual(
      listeners.map((one: unknown) => (isRecord(one) ? one["supportedKinds"] : undefined)),
      [[{ group: "gateway.networking.k8s.io", kind: "HTTPRoute" }], [], []],
    );
    const at = (name: string): string => bench.conditionsOf("Gateway/infra/edge", "listeners", name).join(", ");
    assert.match(at("some"), /Accepted=True.*ResolvedRefs=False InvalidRouteKinds, Programmed=True/);
    assert.match(at("none"), /Accepted=True.*ResolvedRefs=False InvalidRouteKinds, Programmed=False/);
    assert.match(at("odd"), /Accepted=False UnsupportedProtocol/);
    assert.equal(bench.conditionsOf("Gateway/infra/edge")[0], "Accepted=True ListenersNotValid");
    await bench.apply(gateway("[{name: odd, port: 82, protocol: example.com/odd}]"));
    assert.equal(bench.conditionsOf("Gateway/infra/edge")[0], "Accepted=False ListenersNotValid");
  });

  it("takes none of its own listeners that cannot be told apart", async () => {
    const cert = "tls: {certificateRefs: [{name: cert}]}";
    await bench.apply(
      tlsSecret("cert", svid),
      gateway(
        `[{name: a, port: 80, protocol: HTTP}, {name: b, port: 80, protocol: HTTPS, hostname: b.example, ${cert}}, {name: c, port: 443, protocol: HTTPS, hostname: c.example, ${cert}}, {name: d, port: 443, protocol: TLS, hostname: c.example, ${cert.replace("{", "{mode: Terminate, ")}}, {name: e, port: 443, protocol: TLS, hostname: e.example, ${cert.replace("{", "{mode: Terminate, ")}}]`,
      ),
    );
    const conflicted = (name: string): string =>
      bench.conditionsOf("Gateway/infra/edge", "listeners", name).slice(0, 2).join(", ");
    assert.equal(conflicted("a"), "Accepted=False ProtocolConflict, Conflicted=True ProtocolConflict");
    assert.equal(conflicted("b"), "Accepted=False ProtocolConflict, Conflicted=True ProtocolConflict");
    assert.equal(conflicted("c"), "Accepted=False HostnameConflict, Conflicted=True HostnameConflict");
    assert.equal(conflicted("d"), "Accepted=False HostnameConflict, Conflicted=True HostnameConflict");
    assert.equal(conflicted("e"), "Accepted=True Accepted, Conflicted=False NoConflicts");
    await bench.host("edge");
    assert.deepEqual(
      bench.get(gatewayType, "infra/edge")?.listeners.map(({ name }) => name),
      ["e"],
    );
  });

  it("is refused for addresses of a type or parameters that are not known", async () => {
    await bench.apply(gateway(`[${HTTP}]`, ", addresses: [{type: example.com/odd, value: a}]"));
    assert.equal(bench.conditionsOf("Gateway/infra/edge")[0], "Accepted=False UnsupportedAddress");
    await bench.apply(gateway(`[${HTTP}]`, ", infrastructure: {parametersRef: {group: a.b, kind: C, name: d}}"));
    assert.equal(bench.conditionsOf("Gateway/infra/edge")[0], "Accepted=False InvalidParameters");
    await bench.host("edge");
    await bench.apply(gateway(`[${HTTP}]`, ", addresses: [{value: 192.0.2.1}, {type: Hostname, value: a.example}]"));
    assert.deepEqual(bench.conditionsOf("Gateway/infra/edge").slice(0, 2), [
      "Accepted=True Accepted",
      "Programmed=False AddressNotUsable",
    ]);
    assert.deepEqual(bench.status("Gateway/infra/edge")["addresses"], [{ type: "IPAddress", value: "192.0.2.1" }]);
  });
});

describe("a certificate of a listener", () => {
  const https = (ref: string, more = ""): string =>
    gateway(`[{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [${ref}]}}]`, more);
  const refs = (): string => bench.conditionsOf("Gateway/infra/edge", "listeners", "https").slice(2).join(", ");

  it("must be there, be a Secret, and hold a certificate with its key", async () => {
    await bench.host("edge");
    await bench.apply(https("{name: cert}"));
    assert.equal(refs(), "ResolvedRefs=False InvalidCertificateRef, Programmed=False Invalid");
    assert.deepEqual(bench.get(gatewayType, "infra/edge")?.listeners, []);
    await bench.apply(tlsSecret("cert", { chainPem: "nonsense", keyPem: svid.keyPem }));
    assert.equal(refs(), "ResolvedRefs=False InvalidCertificateRef, Programmed=False Invalid");
    await bench.apply(tlsSecret("cert", svid));
    assert.equal(refs(), "ResolvedRefs=True ResolvedRefs, Programmed=True Programmed");
    assert.deepEqual(bench.get(gatewayType, "infra/edge")?.listeners[0]?.certificates, [
      { chainPem: svid.chainPem, keyPem: svid.keyPem },
    ]);
    await bench.apply(https("{name: cert, kind: ConfigMap}"));
    assert.equal(refs(), "ResolvedRefs=False InvalidCertificateRef, Programmed=False Invalid");
  });

  it("of another namespace needs a grant there, and is gone when the grant goes", async () => {
    await bench.apply(https("{name: cert, namespace: certs}"), tlsSecret("cert", svid).replace('"infra"', '"certs"'));
    assert.equal(refs(), "ResolvedRefs=False RefNotPermitted, Programmed=False Invalid");
    await bench.apply(grant("certs", "Gateway", "Secret"));
    assert.equal(refs(), "ResolvedRefs=True ResolvedRefs, Programmed=True Programmed");
    await bench.delete("ReferenceGrant/certs/gateway-secret");
    assert.equal(refs(), "ResolvedRefs=False RefNotPermitted, Programmed=False Invalid");
  });

  it("of clients is checked against roots that are there, else the listener is not accepted", async () => {
    const tls =
      ", tls: {frontend: {default: {validation: {caCertificateRefs: [{group: '', kind: ConfigMap, name: roots}], mode: AllowInsecureFallback}}}}";
    await bench.apply(tlsSecret("cert", svid), https("{name: cert}", tls));
    assert.deepEqual(bench.conditionsOf("Gateway/infra/edge", "listeners", "https"), [
      "Accepted=False NoValidCACertificate",
      "Conflicted=False NoConflicts",
      "ResolvedRefs=False InvalidCACertificateRef",
      "Programmed=False Invalid",
    ]);
    const data = JSON.stringify({ "ca.crt": rootPem });
    await bench.apply(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: roots, namespace: infra}\ndata: ${data}`);
    await bench.host("edge");
    assert.deepEqual(bench.conditionsOf("Gateway/infra/edge").slice(-1), [
      "InsecureFrontendValidationMode=True ConfigurationChanged",
    ]);
    const validation = bench.get(gatewayType, "infra/edge")?.listeners[0]?.clientValidation;
    assert.equal(validation?.rootsPem.trim(), rootPem.trim());
    assert.equal(validation?.mode, 1);
  });

  it("shown to backends must be there too", async () => {
    const tls = ", tls: {backend: {clientCertificateRef: {name: client}}}";
    await bench.apply(gateway(`[${HTTP}]`, tls));
    assert.equal(bench.conditionsOf("Gateway/infra/edge")[2], "ResolvedRefs=False InvalidClientCertificateRef");
    await bench.apply(tlsSecret("client", svid));
    await bench.host("edge");
    assert.equal(bench.conditionsOf("Gateway/infra/edge")[2], "ResolvedRefs=True ResolvedRefs");
    assert.equal(bench.get(gatewayType, "infra/edge")?.backendClientCertificate?.keyPem, svid.keyPem);
  });
});

describe("a ListenerSet", () => {
  const set = (name: string, listeners: string, namespace = "infra"): string =>
    route("ListenerSet", name, `{parentRef: {name: edge, namespace: infra}, listeners: ${listeners}}`, namespace);
  const MORE = ", allowedListeners: {namespaces: {from: All}}";

  it("is not allowed unless the Gateway says so", async () => {
    await bench.apply(gateway(`[${HTTP}]`), set("more", "[{name: a, port: 81, protocol: HTTP}]"));
    assert.deepEqual(bench.conditionsOf("ListenerSet/infra/more"), [
      "Accepted=False NotAllowed",
      "Programmed=False NotAllowed",
    ]);
    await bench.apply(
      gateway(`[${HTTP}]`, ", allowedListeners: {namespaces: {from: Selector, selector: {matchLabels: {team: a}}}}"),
    );
    assert.equal(bench.conditionsOf("ListenerSet/infra/more")[0], "Accepted=False NotAllowed");
    await bench.apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: infra, labels: {team: a}}");
    assert.deepEqual(bench.conditionsOf("ListenerSet/infra/more"), [
      "Accepted=True Accepted",
      "Programmed=True Programmed",
    ]);
    assert.equal(bench.status("Gateway/infra/edge")["attachedListenerSets"], 1);
  });

  it("loses to the Gateway and to older sets, which keep what they have", async () => {
    await bench.apply(gateway(`[${HTTP}]`, MORE), set("first", "[{name: a, port: 81, protocol: HTTP}]"));
    await bench.apply(
      set("second", "[{name: a, port: 81, protocol: HTTP}, {name: b, port: 80, protocol: TCP}]", "team"),
    );
    assert.equal(bench.conditionsOf("ListenerSet/infra/first")[0], "Accepted=True Accepted");
    assert.deepEqual(bench.conditionsOf("ListenerSet/team/second"), [
      "Accepted=False ListenersNotValid",
      "Programmed=False ListenersNotValid",
    ]);
    assert.deepEqual(bench.conditionsOf("ListenerSet/team/second", "listeners", "a").slice(0, 2), [
      "Accepted=False HostnameConflict",
      "Conflicted=True HostnameConflict",
    ]);
    assert.equal(
      bench.conditionsOf("ListenerSet/team/second", "listeners", "b")[1],
      "Conflicted=True ProtocolConflict",
    );
    assert.equal(bench.conditionsOf("Gateway/infra/edge")[0], "Accepted=True Accepted");
    assert.equal(bench.status("Gateway/infra/edge")["attachedListenerSets"], 1);
  });

  it("has routes of its own, which a route of the Gateway does not reach", async () => {
    await bench.apply(
      gateway(`[${HTTP}]`, MORE),
      set("more", "[{name: a, port: 81, protocol: HTTP}]"),
      service("catalog"),
    );
    await bench.apply(
      route(
        "HTTPRoute",
        "both",
        `{parentRefs: [{name: edge, sectionName: a}, {kind: ListenerSet, name: more}], rules: [{${TO_CATALOG}}]}`,
      ),
    );
    assert.deepEqual(accepted("HTTPRoute/infra/both"), ["Accepted=False NoMatchingParent", "Accepted=True Accepted"]);
    await bench.host("edge");
    const compiled = bench.get(gatewayRouteType, "infra/edge/HTTPRoute/infra/both");
    assert.deepEqual(compiled?.attachments, [{ listener: "infra/more/a", hostnames: [] }]);
    assert.deepEqual(attachedRoutes(), { http: 0 });
  });
});

describe("a route of a Gateway", () => {
  it("says why it is not attached", async () => {
    await bench.apply(
      gateway(
        "[{name: own, port: 80, protocol: HTTP, hostname: '*.example.com'}, {name: tcp, port: 90, protocol: TCP}]",
      ),
      service("catalog"),
    );
    const rule = `rules: [{${TO_CATALOG}}]`;
    const judge = async (spec: string, namespace = "infra"): Promise<string> => {
      await bench.apply(route("HTTPRoute", "r", `{${spec}, ${rule}}`, namespace));
      return accepted(`HTTPRoute/${namespace}/r`).join(", ");
    };
    assert.equal(await judge("parentRefs: [{name: missing}]"), "Accepted=False NoMatchingParent");
    assert.equal(await judge("parentRefs: [{name: edge, sectionName: other}]"), "Accepted=False NoMatchingParent");
    assert.equal(
      await judge("parentRefs: [{name: edge, sectionName: own, port: 81}]"),
      "Accepted=False NoMatchingParent",
    );
    assert.equal(await judge("parentRefs: [{name: edge, sectionName: tcp}]"), "Accepted=False NotAllowedByListeners");
    assert.equal(await judge(TO_EDGE, "shop"), "Accepted=False NotAllowedByListeners");
    assert.equal(await judge(`${TO_EDGE}, hostnames: [example.com]`), "Accepted=False NoMatchingListenerHostname");
    assert.equal(await judge(`${TO_EDGE}, hostnames: [a.b.example.com]`), "Accepted=True Accepted");
    assert.deepEqual(attachedRoutes(), { own: 1, tcp: 0 });
  });

  it("has the host names that it shares with each listener, and no others", async () => {
    await bench.host("edge");
    await bench.apply(
      gateway(
        "[{name: wild, port: 80, protocol: HTTP, hostname: '*.example.com'}, {name: one, port: 80, protocol: HTTP, hostname: very.specific.com}]",
      ),
      service("catalog"),
      route(
        "HTTPRoute",
        "r",
        `{${TO_EDGE}, hostnames: [Other.example.org, very.specific.com, '*.com'], rules: [{${TO_CATALOG}}]}`.replace(
          "Other",
          "other",
        ),
      ),
    );
    assert.deepEqual(bench.get(gatewayRouteType, "infra/edge/HTTPRoute/infra/r")?.attachments, [
      { listener: "wild", hostnames: ["*.example.com"] },
      { listener: "one", hostnames: ["very.specific.com"] },
    ]);
    assert.deepEqual(bench.get(gatewayRoutesType, "infra/edge"), {
      gateway: "infra/edge",
      routes: ["infra/edge/HTTPRoute/infra/r"],
    });
  });

  it("is accepted whatever becomes of its backends, which need a grant in other namespaces", async () => {
    await bench.host("edge");
    await bench.apply(gateway(`[${HTTP}]`), service("catalog", "shop"));
    await bench.apply(
      route(
        "HTTPRoute",
        "r",
        `{${TO_EDGE}, rules: [{backendRefs: [{name: catalog, namespace: shop, port: 80}, {name: missing, port: 80}]}]}`,
      ),
    );
    const conditions = (): readonly string[] => bench.conditionsOf("HTTPRoute/infra/r", "parents", 0);
    assert.deepEqual(conditions(), ["Accepted=True Accepted", "ResolvedRefs=False RefNotPermitted"]);
    const backends = (): readonly string[] =>
      bench.get(gatewayRouteType, "infra/edge/HTTPRoute/infra/r")?.http[0]?.backends.map((one) => one.service) ?? [];
    assert.deepEqual(backends(), ["", ""]);
    await bench.apply(grant("shop", "HTTPRoute", "Service"));
    assert.deepEqual(conditions(), ["Accepted=True Accepted", "ResolvedRefs=False BackendNotFound"]);
    assert.deepEqual(backends(), ["shop/catalog", ""]);
    await bench.delete("ReferenceGrant/shop/httproute-service");
    assert.deepEqual(backends(), ["", ""]);
  });

  it("does not send HTTP to a port that declares another protocol", async () => {
    const odd = service("catalog").replace("port: 80}", "port: 80, appProtocol: example.com/odd}");
    await bench.apply(gateway(`[${HTTP}]`), odd, route("HTTPRoute", "r", `{${TO_EDGE}, rules: [{${TO_CATALOG}}]}`));
    assert.deepEqual(bench.conditionsOf("HTTPRoute/infra/r", "parents", 0), [
      "Accepted=True Accepted",
      "ResolvedRefs=False UnsupportedProtocol",
    ]);
  });

  it("carries the ranks of its matches, so that proxies can merge routes", async () => {
    await bench.host("edge");
    const matches =
      "[{path: {type: Exact, value: /a}}, {path: {value: /abc}, method: GET, headers: [{name: x, value: y}]}]";
    await bench.apply(
      gateway(`[${HTTP}]`),
      service("catalog"),
      route("HTTPRoute", "r", `{${TO_EDGE}, rules: [{matches: ${matches}, ${TO_CATALOG}}]}`),
    );
    const compiled = bench.get(gatewayRouteType, "infra/edge/HTTPRoute/infra/r");
    assert.deepEqual(
      compiled?.http.map(({ source, precedence }) => [source, precedence?.ranks]),
      [
        ["HTTPRoute infra/r rule 0 match 0", [2, 0, 0, 0, 0]],
        ["HTTPRoute infra/r rule 0 match 1", [0, 4, 1, 1, 0]],
      ],
    );
    assert.equal(compiled?.created, bench.resource("HTTPRoute/infra/r").metadata.creationTimestamp);
  });

  it("of gRPC and one of HTTP with host names in common exclude each other: the older one holds", async () => {
    await bench.apply(gateway(`[${HTTP}]`), service("catalog"));
    await bench.apply(route("HTTPRoute", "old", `{${TO_EDGE}, hostnames: [a.example], rules: [{${TO_CATALOG}}]}`));
    await bench.apply(
      route("GRPCRoute", "new", `{${TO_EDGE}, hostnames: ['*.example'], rules: [{${TO_CATALOG}}]}`),
      route("GRPCRoute", "apart", `{${TO_EDGE}, hostnames: [b.example], rules: [{${TO_CATALOG}}]}`),
    );
    assert.deepEqual(accepted("HTTPRoute/infra/old"), ["Accepted=True Accepted"]);
    assert.deepEqual(accepted("GRPCRoute/infra/new"), ["Accepted=False Conflicted"]);
    assert.deepEqual(accepted("GRPCRoute/infra/apart"), ["Accepted=True Accepted"]);
    assert.deepEqual(attachedRoutes(), { http: 2 });
    await bench.delete("HTTPRoute/infra/old");
    assert.deepEqual(accepted("GRPCRoute/infra/new"), ["Accepted=True Accepted"]);
  });

  it("of TLS and TCP has its backends by weight", async () => {
    await bench.host("edge");
    const tls = "tls: {mode: Passthrough}";
    await bench.apply(
      gateway(`[{name: tls, port: 443, protocol: TLS, ${tls}}, {name: tcp, port: 90, protocol: TCP}]`),
      service("catalog"),
      route(
        "TLSRoute",
        "t",
        `{${TO_EDGE}, hostnames: [a.example], rules: [{${TO_CATALOG.replace("80", "443, weight: 3")}}]}`,
      ),
      route(
        "TCPRoute",
        "t",
        `{${TO_EDGE}, rules: [{backendRefs: [{name: catalog, port: 80}, {name: gone, port: 1}]}]}`,
      ),
    );
    assert.deepEqual(
      bench.get(gatewayType, "infra/edge")?.listeners.map(({ kind }) => kind),
      [GatewayListener_Kind.TLS_PASSTHROUGH, GatewayListener_Kind.TCP],
    );
    const streams = (kind: string): unknown =>
      bench
        .get(gatewayRouteType, `infra/edge/${kind}/infra/t`)
        ?.streams.map(({ source, backends }) => [
          source,
          backends.map(({ service: name, weight, invalid }) => [name, weight, invalid]),
        ]);
    assert.deepEqual(streams("TLSRoute"), [["TLSRoute infra/t rule 0", [["infra/catalog", 3, ""]]]]);
    assert.deepEqual(streams("TCPRoute"), [
      [
        "TCPRoute infra/t rule 0",
        [
          ["infra/catalog", 1, ""],
          ["", 1, "there is no Service infra/gone"],
        ],
      ],
    ]);
    assert.deepEqual(bench.conditionsOf("TCPRoute/infra/t", "parents", 0), [
      "Accepted=True Accepted",
      "ResolvedRefs=False BackendNotFound",
    ]);
    assert.deepEqual(attachedRoutes(), { tls: 1, tcp: 1 });
  });
});

describe("a GRPCRoute of a Service", () => {
  it("is compiled in the order of its own ranks, and takes the place of HTTPRoutes on its ports", async () => {
    const parent = 'parentRefs: [{group: "", kind: Service, name: catalog}]';
    await bench.apply(service("catalog"), route("HTTPRoute", "h", `{${parent}, rules: [{${TO_CATALOG}}]}`));
    const methods = ["{method: GetBook}", "{service: shop.Catalog}", "{service: shop.Catalog, method: GetBook}"];
    await bench.apply(
      route(
        "GRPCRoute",
        "g",
        `{${parent}, rules: [${methods.map((method) => `{matches: [{method: ${method}}], ${TO_CATALOG}}`).join(", ")}]}`,
      ),
    );
    const [port] = bench.get(routesType, "infra/catalog@infra")?.ports ?? [];
    assert.deepEqual(
      port?.http.map(({ source, path, method }) => [source, path?.type, path?.value, method]),
      [
        ["GRPCRoute infra/g rule 2 match 0", PathMatch_Type.EXACT, "/shop.Catalog/GetBook", "POST"],
        ["GRPCRoute infra/g rule 1 match 0", PathMatch_Type.PREFIX, "/shop.Catalog", "POST"],
        ["GRPCRoute infra/g rule 0 match 0", PathMatch_Type.REGEX, "/[^/]+/GetBook", "POST"],
      ],
    );
    assert.deepEqual(port?.http[0]?.headers, [
      { name: "content-type", value: "application/grpc([+;].*)?", regex: true },
    ]);
    assert.deepEqual(accepted("HTTPRoute/infra/h"), ["Accepted=False Conflicted"]);
    await bench.delete("GRPCRoute/infra/g");
    assert.deepEqual(accepted("HTTPRoute/infra/h"), ["Accepted=True Accepted"]);
  });
});

describe("a TCPRoute of a Service", () => {
  const parent = (more = ""): string => `parentRefs: [{group: "", kind: Service, name: catalog${more}}]`;
  const tcp = (name: string, more = "", backends = TO_CATALOG): string =>
    route("TCPRoute", name, `{${parent(more)}, rules: [{${backends}}]}`);
  const ports = (client = "infra"): readonly (readonly [number, boolean, string | undefined])[] =>
    (bench.get(routesType, `infra/catalog@${client}`)?.ports ?? []).map(({ port, connections = false, http }) => [
      port,
      connections,
      http[0]?.source,
    ]);

  it("takes whole connections by weight, of its port; of several the older holds", async () => {
    await bench.apply(service("catalog"), tcp("t", ", port: 80"));
    await bench.apply(tcp("a", ", port: 80"));
    assert.deepEqual(accepted("TCPRoute/infra/t"), ["Accepted=True Accepted"]);
    assert.deepEqual(accepted("TCPRoute/infra/a"), ["Accepted=True Accepted"]);
    assert.deepEqual(ports(), [[80, true, "TCPRoute infra/t rule 0 match 0"]]);
    await bench.delete("TCPRoute/infra/t");
    assert.deepEqual(ports(), [[80, true, "TCPRoute infra/a rule 0 match 0"]]);
    await bench.delete("TCPRoute/infra/a");
    assert.deepEqual(ports(), []);
  });

  it("gives way to an HTTPRoute on the same ports, and says so", async () => {
    await bench.apply(service("catalog"), tcp("t"));
    await bench.apply(route("HTTPRoute", "h", `{${parent(", port: 80")}, rules: [{${TO_CATALOG}}]}`));
    assert.deepEqual(accepted("TCPRoute/infra/t"), ["Accepted=True Accepted"], "port 443 is left");
    assert.deepEqual(ports(), [
      [0, true, "TCPRoute infra/t rule 0 match 0"],
      [80, false, "HTTPRoute infra/h rule 0 match 0"],
    ]);
    await bench.apply(route("HTTPRoute", "h", `{${parent()}, rules: [{${TO_CATALOG}}]}`));
    assert.deepEqual(accepted("TCPRoute/infra/t"), ["Accepted=False Conflicted"]);
    await bench.delete("HTTPRoute/infra/h");
    assert.deepEqual(accepted("TCPRoute/infra/t"), ["Accepted=True Accepted"]);
  });

  it("of another namespace is for clients of that namespace alone", async () => {
    await bench.apply(
      service("catalog"),
      tcp("t"),
      route(
        "TCPRoute",
        "own",
        `{${parent(", namespace: infra")}, rules: [{${TO_CATALOG.replace("}]", ", namespace: infra}]")}}]}`,
        "web",
      ),
    );
    assert.deepEqual(ports("infra"), [[0, true, "TCPRoute infra/t rule 0 match 0"]]);
    assert.deepEqual(ports("web"), [[0, true, "TCPRoute web/own rule 0 match 0"]]);
  });

  it("is there, where a TLSRoute is not", async () => {
    const tls = `{${parent()}, hostnames: [shop.example], rules: [{${TO_CATALOG}}]}`;
    await bench.apply(service("catalog"), route("TLSRoute", "t", tls));
    assert.deepEqual(accepted("TLSRoute/infra/t"), ["Accepted=False UnsupportedValue"]);
    assert.deepEqual(ports(), []);
  });
});

describe("a BackendTLSPolicy", () => {
  const policy = (name: string, target: string, validation = "wellKnownCACertificates: System"): string =>
    route(
      "BackendTLSPolicy",
      name,
      `{targetRefs: [{group: "", kind: Service, name: catalog${target}}], validation: {hostname: catalog.example, ${validation}}}`,
    );
  const ROOTS = "caCertificateRefs: [{group: '', kind: ConfigMap, name: roots}]";
  const tlsOf = (): unknown =>
    bench
      .get(serviceType, "infra/catalog")
      ?.ports.map(({ name, backendTls }) => [name, backendTls?.source, backendTls?.invalid]);
  const conditions = (name: string): readonly string[] =>
    bench.conditionsOf(`BackendTLSPolicy/infra/${name}`, "ancestors", 0);

  beforeEach(async () => {
    await bench.apply(gateway(`[${HTTP}]`), service("catalog"));
    await bench.apply(route("HTTPRoute", "r", `{${TO_EDGE}, rules: [{${TO_CATALOG}}]}`));
  });

  it("holds for the ports that it names before one for the whole Service, and the oldest of several", async () => {
    await bench.apply(policy("whole", ""));
    await bench.apply(policy("later", ""), policy("port", ", sectionName: tls"));
    const source = (name: string): string => `BackendTLSPolicy infra/${name}`;
    assert.deepEqual(tlsOf(), [
      ["http", source("whole"), ""],
      ["tls", source("port"), ""],
    ]);
    assert.deepEqual(conditions("whole"), ["Accepted=True Accepted", "ResolvedRefs=True ResolvedRefs"]);
    assert.deepEqual(conditions("later"), ["Accepted=False Conflicted", "ResolvedRefs=True ResolvedRefs"]);
    assert.deepEqual(conditions("port"), ["Accepted=True Accepted", "ResolvedRefs=True ResolvedRefs"]);
    const { ancestors } = bench.status("BackendTLSPolicy/infra/whole");
    assert.ok(Array.isArray(ancestors) && isRecord(ancestors[0]));
    assert.deepEqual(ancestors[0]["ancestorRef"], {
      group: "gateway.networking.k8s.io",
      kind: "Gateway",
      namespace: "infra",
      name: "edge",
    });
  });

  it("without a valid CA lets nothing through, and says so", async () => {
    await bench.apply(policy("p", "", ROOTS));
    assert.deepEqual(conditions("p"), [
      "Accepted=False NoValidCACertificate",
      "ResolvedRefs=False InvalidCACertificateRef",
    ]);
    const missing = "there is no ConfigMap infra/roots";
    assert.deepEqual(tlsOf(), [
      ["http", "BackendTLSPolicy infra/p", missing],
      ["tls", "BackendTLSPolicy infra/p", missing],
    ]);
    await bench.apply(policy("p", "", ROOTS.replace("kind: ConfigMap", "kind: Other")));
    assert.deepEqual(conditions("p"), ["Accepted=False NoValidCACertificate", "ResolvedRefs=False InvalidKind"]);
    await bench.apply(
      policy("p", "", ROOTS),
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: roots, namespace: infra}\ndata: ${JSON.stringify({ "ca.crt": rootPem })}`,
    );
    assert.deepEqual(conditions("p"), ["Accepted=True Accepted", "ResolvedRefs=True ResolvedRefs"]);
    assert.equal(bench.get(serviceType, "infra/catalog")?.ports[0]?.backendTls?.rootsPem.trim(), rootPem.trim());
  });

  it("has no entry as long as no Gateway leads to its Service", async () => {
    await bench.apply(policy("p", ""));
    await bench.delete("HTTPRoute/infra/r");
    assert.deepEqual(bench.status("BackendTLSPolicy/infra/p")["ancestors"], []);
  });
});

describe("a change of one route among a thousand", () => {
  it("computes its own resource and status again, judges no Gateway, and sends nothing else", async () => {
    await bench.host("edge");
    const spec = (at: number, value = "/"): string =>
      `{${TO_EDGE}, hostnames: [h${at}.example], rules: [{matches: [{path: {value: ${value}}}], ${TO_CATALOG}}]}`;
    await bench.apply(
      gateway(`[${HTTP}]`),
      service("catalog"),
      ...Array.from({ length: 1_000 }, (_, at) => route("HTTPRoute", `r${at}`, spec(at))),
    );
    for (const name of bench.get(gatewayRoutesType, "infra/edge")?.routes ?? [])
      assert.ok(bench.get(gatewayRouteType, name));
    assert.ok(bench.get(gatewayType, "infra/edge"));
    assert.deepEqual(attachedRoutes(), { http: 1_000 });
    const counts = (): readonly number[] => [
      bench.compiler.statistics.computed,
      bench.conditions.computed,
      bench.compiler.world.judged,
    ];
    const [compiled = 0, statuses = 0, judged = 0] = counts();
    const sent: string[] = [];
    bench.compiler.watch((typeUrl, names) => sent.push(...names.map((name) => `${typeUrl.split(".").at(-1)} ${name}`)));
    await bench.apply(route("HTTPRoute", "r7", spec(7, "/new")));
    assert.deepEqual(counts(), [compiled + 1, statuses + 1, judged]);
    assert.deepEqual(sent, ["GatewayRoute infra/edge/HTTPRoute/infra/r7"]);
    // Its host names concern what is attached too, and no other route.
    await bench.apply(route("HTTPRoute", "r7", spec(7_000)));
    assert.deepEqual(counts(), [compiled + 3, statuses + 3, judged]);
  });

  it("is not needed for another certificate, which goes to the Gateway alone", async () => {
    await bench.host("edge");
    const https = `{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert}]}}`;
    await bench.apply(
      tlsSecret("cert", svid),
      gateway(`[${https}]`),
      service("catalog"),
      route("HTTPRoute", "r", `{${TO_EDGE}, rules: [{${TO_CATALOG}}]}`),
    );
    assert.ok(bench.get(gatewayType, "infra/edge") && bench.get(gatewayRoutesType, "infra/edge"));
    assert.ok(bench.get(gatewayRouteType, "infra/edge/HTTPRoute/infra/r"));
    const { computed } = bench.compiler.statistics;
    const statuses = bench.conditions.computed;
    const next = await (await TestAuthority.create()).issue("spiffe://test.mesh/ns/a/sa/b");
    await bench.apply(tlsSecret("cert", next));
    assert.equal(bench.get(gatewayType, "infra/edge")?.listeners[0]?.certificates[0]?.keyPem, next.keyPem);
    assert.deepEqual([bench.compiler.statistics.computed, bench.conditions.computed], [computed + 1, statuses + 1]);
  });
});

describe("a policy that names Gateways", () => {
  const policy = (kind: string, namespace: string, targets: string, rest: string): string =>
    `apiVersion: ripstop.mesh/v1alpha1\nkind: ${kind}\nmetadata: {name: p, namespace: ${namespace}}\nspec: {${targets}${rest}}`;
  const fault = (namespace: string, targets: string): string =>
    policy("FaultInjection", namespace, targets, 'expires: "2999-01-01T00:00:00Z", rules: [{reset: true}]');
  const guarding = (): readonly string[] =>
    (bench.get(workloadType, "infra/proxy")?.policies ?? []).map(({ name }) => name);

  it("guards the placements of its Gateway, while it is there", async () => {
    await bench.host("edge");
    assert.deepEqual(guarding(), []);
    await bench.apply(fault("infra", "targetRefs: [{kind: Gateway, name: inner}], "));
    assert.deepEqual(guarding(), []);
    await bench.apply(fault("infra", "targetRefs: [{kind: Gateway, name: edge}], "));
    assert.deepEqual(guarding(), ["FaultInjection/infra/p"]);
    const limits = "rules: [{name: c, limit: {connections: 1, period: 1s}}]";
    await bench.apply(policy("RateLimitPolicy", "infra", "targetRefs: [{kind: Gateway, name: edge}], ", limits));
    assert.deepEqual([...guarding()].sort(), ["FaultInjection/infra/p", "RateLimitPolicy/infra/p"]);
    await bench.delete("FaultInjection/infra/p");
    assert.deepEqual(guarding(), ["RateLimitPolicy/infra/p"]);
    await bench.apply(fault("infra", ""));
    assert.deepEqual(guarding(), ["RateLimitPolicy/infra/p"]);
  });

  it("guards every placement when it names a route, until either namespace refuses faults", async () => {
    const namespace = (name: string, labels: string): string =>
      `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}, labels: {${labels}}}`;
    await bench.host("edge");
    await bench.apply(fault("shop", "targetRefs: [{kind: HTTPRoute, name: catalog}], "));
    assert.deepEqual(guarding(), ["FaultInjection/shop/p"]);
    for (const name of ["shop", "infra"]) {
      await bench.apply(namespace(name, "ripstop.mesh/faults: deny"));
      assert.deepEqual(guarding(), [], name);
      await bench.apply(namespace(name, ""));
      assert.deepEqual(guarding(), ["FaultInjection/shop/p"], name);
    }
  });
});
