// The rules of `ripstop check`, at the edges.

import type { CertificateView, IdentityList, IdentityView, ProxyView, WorkloadView } from "@ripstop/model";
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { Finding, Section } from "./finding.ts";
import { homeSection } from "./home-section.ts";
import { authorityFinding, identitySection } from "./identity-section.ts";
import { proxySection } from "./proxy-section.ts";

const NOW_MS = Date.UTC(2026, 5, 1);
const DAY_MS = 86_400_000;

function authority(kind: "root" | "intermediate", daysLeft: number): CertificateView {
  return {
    kind,
    subject: `CN=${kind}`,
    issuer: "CN=root",
    serialNumber: "1",
    notBeforeMs: NOW_MS - (90 - daysLeft) * DAY_MS,
    notAfterMs: NOW_MS + daysLeft * DAY_MS,
    sha256: "",
    key: "EC prime256v1",
  };
}

function identity(change: Partial<IdentityView>): IdentityView {
  return {
    spiffeId: "spiffe://m/ns/a/sa/b",
    workloads: ["a/b-1"],
    issued: 1,
    serialNumber: "1",
    issuedMs: NOW_MS,
    notAfterMs: NOW_MS + DAY_MS,
    overdue: "",
    revocation: undefined,
    ...change,
  };
}

function severities(section: Section): readonly Finding["severity"][] {
  return section.findings.map(({ severity }) => severity);
}

describe("the check of identities", () => {
  it("warns 60 and 14 days before a root ends, and is alarmed 3 days before", () => {
    const severity = (days: number): string => authorityFinding(authority("root", days), NOW_MS).severity;
    assert.deepEqual([61, 60, 14, 3.1, 3, 0, -1].map(severity), [
      "ok",
      "warning",
      "warning",
      "warning",
      "problem",
      "problem",
      "problem",
    ]);
    assert.match(authorityFinding(authority("root", 14), NOW_MS).remedy, /rotate-root/);
    assert.match(authorityFinding(authority("root", -1), NOW_MS).remedy, /recover/);
    assert.equal(authorityFinding({ ...authority("root", 80), notBeforeMs: NOW_MS + 1 }, NOW_MS).severity, "problem");
  });

  it("warns of an intermediate that was not replaced at half of its life", () => {
    assert.equal(authorityFinding(authority("intermediate", 44), NOW_MS).severity, "ok");
    assert.equal(authorityFinding(authority("intermediate", 30), NOW_MS).severity, "warning");
  });

  it("names workloads that missed renewals, that have expired, or that are revoked", () => {
    const revocation = { spiffeId: "spiffe://m/ns/a/sa/d", serialNumber: "", reason: "lost", revokedMs: NOW_MS };
    const list: IdentityList = {
      trustDomain: "m",
      timeMs: NOW_MS,
      authorities: [],
      revocations: [revocation],
      identities: [
        identity({}),
        identity({ overdue: "a/b-1" }),
        identity({ notAfterMs: 0 }),
        identity({ revocation }),
        identity({ workloads: [], notAfterMs: 0 }),
      ],
    };
    const section = identitySection(list, [], NOW_MS);
    assert.deepEqual(severities(section), ["ok", "warning", "problem", "problem", "ok"]);
    assert.match(section.findings[0]?.message ?? "", /^1 of 4 /);
    const alarms = [{ severity: "critical", type: "X", subject: "m", message: "bad" }] as const;
    assert.deepEqual(severities(identitySection({ ...list, identities: [] }, alarms, NOW_MS)), ["ok", "ok", "problem"]);
  });

  it("compares clocks", () => {
    const list: IdentityList = { trustDomain: "m", timeMs: NOW_MS, authorities: [], identities: [], revocations: [] };
    const at = (minutes: number): string | undefined =>
      severities(identitySection(list, [], NOW_MS + minutes * 60_000)).at(-1);
    assert.deepEqual([0, -3, 6, -60].map(at), ["ok", "warning", "problem", "problem"]);
  });
});

describe("the check of proxies", () => {
  it("names those that are away, behind, or refuse", () => {
    const workloads = [{ id: "a/1", proxyConnected: false }] as unknown as WorkloadView[];
    const proxies: ProxyView[] = [
      { proxyId: "a/2", identity: "", synced: false, pendingMs: 7, rejected: [] },
      { proxyId: "a/3", identity: "", synced: true, pendingMs: 0, rejected: [{ type: "Policy", reason: "no" }] },
    ];
    assert.deepEqual(severities(proxySection(workloads, { proxies })), ["ok", "problem", "warning", "problem"]);
    assert.deepEqual(severities(proxySection([], { proxies: [] })), ["ok"]);
  });

  it("counts a proxy at another control plane as connected, and says which one it could not ask", () => {
    const workloads = [{ id: "a/1", proxyConnected: false }] as unknown as WorkloadView[];
    const elsewhere = { proxyId: "a/1#1", identity: "", synced: true, pendingMs: 0, rejected: [], replica: "c2" };
    assert.deepEqual(severities(proxySection(workloads, { proxies: [elsewhere] })), ["ok"]);
    const unknown = [{ id: "c2", streamAddress: "", proxies: 1, reason: "it does not answer" }];
    const section = proxySection(workloads, { proxies: [], unknown });
    assert.deepEqual(severities(section), ["ok", "warning"]);
    assert.match(section.findings[1]?.message ?? "", /c2: it does not answer: 1 proxy unknown/);
  });
});

describe("the check of the mesh home", () => {
  it("finds what others may read", () => {
    const home = mkdtempSync(join(tmpdir(), "ripstop-check-"));
    try {
      writeFileSync(join(home, "root.key.pem"), "", { mode: 0o600 });
      writeFileSync(join(home, "a.svid.pem"), "", { mode: 0o644 });
      assert.deepEqual(severities(homeSection(home)), ["ok", "ok"]);
      chmodSync(join(home, "root.key.pem"), 0o640);
      chmodSync(home, 0o755);
      assert.deepEqual(severities(homeSection(home)), ["problem", "ok", "problem"]);
    } finally {
      rmSync(home, { recursive: true });
    }
    assert.deepEqual(severities(homeSection(join(home, "gone"))), ["problem"]);
  });
});
