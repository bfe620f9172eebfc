// Inputs that a tenant could harm the others with, and how each has to end.

import type { RemoteAnswer, Tenant } from "./remote.ts";

/** How large the inputs are. */
export interface HostileScale {
  /** Resources that one tenant tries to make, and of them in one request. */
  readonly resources: number;
  readonly batch: number;
  /** Bytes of the one large resource. */
  readonly bytes: number;
}

/** One row of the table. */
export interface HostileCase {
  readonly title: string;
  /** Status and code, and a text that the answer has to have. */
  readonly expected: { readonly status: number; readonly code: string; readonly says: RegExp };
  /** Sends it; the last answer. */
  send(tenant: Tenant, scale: HostileScale): Promise<RemoteAnswer>;
}

const service = (name: string, more = ""): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: noisy${more}}\nspec:\n  ports: [{port: 80}]\n---\n`;

const route = (pattern: string): string =>
  `apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r, namespace: noisy}\nspec:\n  parentRefs: [{group: "", kind: Service, name: web}]\n  rules:\n    - matches: [{path: {type: RegularExpression, value: "${pattern}"}}]\n`;

/** The table. */
export const hostileCases: readonly HostileCase[] = [
  {
    title: "one large resource",
    expected: { status: 413, code: "RS3013", says: /at most [0-9]+ bytes/ },
    send: (tenant, { bytes }) => tenant.apply(service("big", `, annotations: {a: ${"x".repeat(bytes)}}`)),
  },
  {
    title: "more resources than a namespace may have",
    expected: { status: 403, code: "RS3030", says: /there are [0-9]+ resources in namespace noisy and this adds/ },
    async send(tenant, { resources, batch }) {
      let answer: RemoteAnswer = { status: 0, body: "" };
      for (let from = 0; from < resources; from += batch) {
        const names = Array.from({ length: batch }, (_, at) => service(`s${from + at}`));
        answer = await tenant.apply(names.join(""));
        if (answer.status !== 200) return answer;
      }
      return answer;
    },
  },
  {
    title: "a pattern of 10,000 characters",
    expected: { status: 422, code: "RS3101", says: /spec\.rules\[0\]\.matches\[0\]\.path\.value/ },
    send: (tenant) => tenant.apply(route("(a|b)*".repeat(1_667))),
  },
  {
    title: "a pattern that would take a backtracking engine for ever",
    expected: { status: 422, code: "RS3101", says: /pattern/ },
    send: (tenant) => tenant.apply(route("((a{200}){200}){200}")),
  },
  {
    title: "YAML nested 100,000 deep",
    expected: { status: 422, code: "RS3101", says: /nested more than 64 deep/ },
    send: (tenant) => tenant.apply(`spec: ${"[".repeat(100_000)}${"]".repeat(100_000)}`),
  },
  {
    title: "aliases that repeat each other",
    expected: { status: 422, code: "RS3101", says: /alias/ },
    send(tenant) {
      const levels = Array.from({ length: 30 }, (_, at) => `a${at + 1}: &a${at + 1} [${`*a${at},`.repeat(9)}]`);
      return tenant.apply(`a0: &a0 [x]\n${levels.join("\n")}\n`);
    },
  },
  {
    title: "one document of 300,000 entries",
    expected: { status: 422, code: "RS3101", says: /more than 20000 entries/ },
    send: (tenant, { bytes }) => tenant.apply(`spec: [${"[],".repeat(Math.min(300_000, Math.floor(bytes / 10)))}]`),
  },
  {
    title: "more violations than anybody reads",
    expected: { status: 422, code: "RS3101", says: /1000 violations/ },
    send: (tenant) => tenant.apply("kind: Nonsense\n---\n".repeat(5_000)),
  },
];
