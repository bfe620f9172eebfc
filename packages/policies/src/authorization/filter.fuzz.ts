// The authorization filter against a second, plain reading of the user page; and against config that is noise.

import assert from "node:assert/strict";

import type { PeerInfo, RequestInfo } from "@ripstop/policy-api/proxy";
import type { Resource } from "@ripstop/resources";
import { fuzz, type SeededRandom } from "@ripstop/testkit";

import { caller, connection, filterTools, plainCaller, request } from "../fixtures.suite.ts";
import { compileAuthorization } from "./compile.ts";
import { filterFactory } from "./filter.ts";
import type { AuthorizationFrom, AuthorizationPolicySpec, AuthorizationRule, AuthorizationTo } from "./schema.ts";

const NAMES = ["web", "cart", "thief"];
const NAMESPACES = ["shop", "shop-evil", "ops"];
const METHODS = ["GET", "POST", "DELETE"];
const PATHS = ["/", "/a", "/a/b", "/ab", "/admin", "/admin/x"];
const HOSTS = ["a.shop", "b.a.shop", "shop", "other"];
const PORTS = [80, 8080];

function some<T>(random: SeededRandom, make: () => T): T[] | undefined {
  const count = random.integer(4);
  return count === 0 ? undefined : Array.from({ length: count }, make);
}

/** `value` without the fields that are undefined, as YAML would give it. */
function given<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}

function anyFrom(random: SeededRandom): AuthorizationFrom {
  const from = given({
    namespaces: some(random, () => random.pick(NAMESPACES)),
    serviceAccounts: some(random, () => random.pick([...NAMES, "ops/web", "shop-evil/web"])),
    principals: some(random, () =>
      random.pick(["*", "spiffe://mesh.local/ns/shop/*", "spiffe://mesh.local/ns/ops/sa/web"]),
    ),
  }) as AuthorizationFrom;
  return Object.keys(from).length === 0 ? { namespaces: ["shop"] } : from;
}

function anyTo(random: SeededRandom): AuthorizationTo {
  const to = given({
    methods: some(random, () => random.pick(METHODS)),
    paths: some(random, () => random.pick([...PATHS, "/a/*", "/admin/*", "*"])),
    hosts: some(random, () => random.pick([...HOSTS, "*.shop"])),
    ports: some(random, () => random.pick(PORTS)),
  }) as AuthorizationTo;
  return Object.keys(to).length === 0 ? { ports: [80] } : to;
}

function anySpec(random: SeededRandom): AuthorizationPolicySpec {
  const rules = Array.from(
    { length: random.integer(4) },
    () =>
      given({ from: some(random, () => anyFrom(random)), to: some(random, () => anyTo(random)) }) as AuthorizationRule,
  );
  return { action: random.pick(["ALLOW", "ALLOW", "DENY", "AUDIT"] as const), rules };
}

function anyCaller(random: SeededRandom): PeerInfo {
  return random.integer(5) === 0 ? plainCaller : caller(random.pick(NAMESPACES), random.pick(NAMES));
}

function anyRequest(random: SeededRandom): RequestInfo {
  const common = { source: anyCaller(random), port: random.pick(PORTS) };
  if (random.integer(5) === 0) return connection(common);
  return request({ ...common, method: random.pick(METHODS), path: random.pick(PATHS), host: random.pick(HOSTS) });
}

function holdsFrom(from: AuthorizationFrom, { identity }: PeerInfo): boolean {
  if (identity === "") return false;
  const [, , , , namespace = "", , account = ""] = identity.split("/");
  if (from.namespaces?.includes(namespace) === false) return false;
  const accounts = from.serviceAccounts?.map((name) => (name.includes("/") ? name : `shop/${name}`));
  if (accounts?.includes(`${namespace}/${account}`) === false) return false;
  const { principals } = from;
  return (
    principals === undefined ||
    principals.some((id) => id === identity || (id.endsWith("*") && identity.startsWith(id.slice(0, -1))))
  );
}

function holdsTo(to: AuthorizationTo, info: RequestInfo, onTcp: boolean): boolean {
  if (to.ports?.includes(info.port) === false) return false;
  if (!info.http) return onTcp || (to.methods === undefined && to.paths === undefined && to.hosts === undefined);
  if (to.methods?.includes(info.method) === false) return false;
  if (
    to.hosts?.some((host) => host === info.host || (host.startsWith("*") && info.host.endsWith(host.slice(1)))) ===
    false
  )
    return false;
  const below = (prefix: string): boolean => info.path === prefix || info.path.startsWith(`${prefix}/`);
  return (
    to.paths?.some(
      (path) => path === "*" || path === info.path || (path.endsWith("/*") && below(path.slice(0, -2))),
    ) !== false
  );
}

function matches(spec: AuthorizationPolicySpec, info: RequestInfo): boolean {
  return spec.rules.some(
    ({ from, to }) =>
      (from === undefined || from.some((entry) => holdsFrom(entry, info.source))) &&
      (to === undefined || to.some((entry) => holdsTo(entry, info, spec.action !== "ALLOW"))),
  );
}

function resource(name: string, spec: AuthorizationPolicySpec): Resource<AuthorizationPolicySpec> {
  const metadata = {
    name,
    namespace: "shop",
    labels: {},
    annotations: {},
    uid: "",
    generation: 1,
    resourceVersion: "",
    creationTimestamp: "",
  };
  return { apiVersion: "ripstop.mesh/v1alpha1", kind: "AuthorizationPolicy", metadata, spec };
}

const tools = filterTools();

fuzz("authorization filter", (random) => {
  const specs = Array.from({ length: random.integer(4) }, () => anySpec(random));
  const filter = filterFactory.create(
    specs.map((spec, at) => ({
      name: `shop/p${at}`,
      config: compileAuthorization(resource(`p${at}`, spec), { trustDomain: "mesh.local" }),
    })),
    tools,
  );
  for (let count = 0; count < 10; count++) {
    const info = anyRequest(random);
    const allow = specs.filter(({ action }) => action === "ALLOW");
    const denied = specs.some((spec) => spec.action === "DENY" && matches(spec, info));
    const passes = !denied && (allow.length === 0 || allow.some((spec) => matches(spec, info)));
    const denial = filter.onRequest(info);
    assert.equal(denial === undefined, passes, JSON.stringify({ specs, info, denial }));
    if (denial !== undefined) assert.match(denial.policy, /^shop\/p\d$/);
    const audited = specs.some((spec) => spec.action === "AUDIT" && matches(spec, info));
    assert.equal(filter.audit?.(info) !== undefined, audited);
  }

  const noise = random.bytes(random.integer(64));
  let created;
  try {
    created = filterFactory.create([{ name: "shop/noise", config: noise }], tools);
  } catch {
    // Config that cannot be read is refused: that is what is wanted.
    return;
  }
  created.onRequest(anyRequest(random));
});
