// JWT-SVIDs: what is issued, how the keys behind them roll over, and what a validator accepts.

import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";

import { err, ok } from "@ripstop/core";
import { createMetricRegistry } from "@ripstop/telemetry";
import { StoppedClock } from "@ripstop/testkit";
import { decodeJwt, decodeProtectedHeader, SignJWT, UnsecuredJWT } from "jose";

import { emptyBundle, formatBundle, jwksOf, parseBundle, validateJwtSvid } from "../jwt/index.ts";
import type { JwtAuthority } from "../jwt/index.ts";
import { openJwtIssuer, type JwtIssuer } from "./index.ts";

const ID = "spiffe://test.mesh/ns/shop/sa/web";
const AUDIENCE = "spiffe://test.mesh/ns/shop/sa/orders";
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

describe("JWT-SVIDs", () => {
  let directory: string;
  let clock: StoppedClock;
  const opened: JwtIssuer[] = [];

  async function open(): Promise<JwtIssuer> {
    const result = await openJwtIssuer({ directory: join(directory, "ca"), trustDomain: "test.mesh", clock });
    if (!result.ok) throw new Error(result.error.message);
    opened.push(result.value);
    return result.value;
  }

  async function token(issuer: JwtIssuer, ttlMs?: number): Promise<string> {
    const issued = await issuer.issue(ID, [AUDIENCE], ttlMs);
    if (!issued.ok) throw new Error(issued.error.message);
    return issued.value.token;
  }

  async function verdict(text: string, keys: readonly JwtAuthority[], audience = AUDIENCE): Promise<string> {
    const result = await validateJwtSvid(text, {
      audience,
      nowMs: clock.nowMs(),
      authorities: (trustDomain) => (trustDomain === "test.mesh" ? keys : undefined),
    });
    return result.ok ? result.value.spiffeId : result.error;
  }

  /** Lets a rotation that a timer began come to its end. */
  async function hours(issuer: JwtIssuer, count: number): Promise<void> {
    for (let hour = 0; hour < count; hour += 6) {
      clock.advance(6 * HOUR);
      // The first may wait for a rotation that began some hours ago, the second begins one now.
      await token(issuer);
      await token(issuer);
    }
  }

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "ripstop-jwt-"));
    clock = new StoppedClock(Date.UTC(2026, 5, 1));
  });
  afterEach(async () => {
    for (const issuer of opened.splice(0)) await issuer.close();
    await rm(directory, { recursive: true });
  });

  it("have exactly the headers and claims that the standard knows", async () => {
    const issuer = await open();
    const issued = await issuer.issue(ID, [AUDIENCE]);
    assert.ok(issued.ok);
    const [published] = issuer.keys();
    assert.deepEqual(decodeProtectedHeader(issued.value.token), { alg: "ES256", kid: published?.kid, typ: "JWT" });
    const { jti, ...claims } = decodeJwt(issued.value.token);
    const nowS = clock.nowMs() / 1000;
    assert.deepEqual(claims, { sub: ID, aud: [AUDIENCE], iat: nowS, exp: nowS + 300 });
    assert.match(String(jti), /^[0-9a-f]{32}$/);
    assert.equal(issued.value.expiresAtMs, (nowS + 300) * 1000);
    assert.equal(await verdict(issued.value.token, issuer.keys()), ID);
  });

  it("are refused without an audience, for another trust domain, and for a lifetime out of range", async () => {
    const issuer = await open();
    const code = async (...args: Parameters<JwtIssuer["issue"]>): Promise<string> => {
      const result = await issuer.issue(...args);
      return result.ok ? "" : result.error.code;
    };
    assert.equal(await code(ID, []), "RS2040");
    assert.equal(await code(ID, [""]), "RS2040");
    assert.equal(await code(ID, ["a\0b"]), "RS2040");
    assert.equal(
      await code(
        ID,
        Array.from({ length: 9 }, (_, at) => `a${at}`),
      ),
      "RS2040",
    );
    assert.equal(await code("spiffe://other.mesh/ns/a/sa/b", [AUDIENCE]), "RS2007");
    assert.equal(await code("spiffe://test.mesh", [AUDIENCE]), "RS2007");
    assert.equal(await code(ID, [AUDIENCE], 9_999), "RS2008");
    assert.equal(await code(ID, [AUDIENCE], DAY + 1), "RS2008");
    assert.equal(await code(ID, [AUDIENCE], 10_000), "");
  });

  it("are refused to whom the control plane refuses them, and counted", async () => {
    const metrics = createMetricRegistry();
    const result = await openJwtIssuer({
      directory: join(directory, "ca"),
      trustDomain: "test.mesh",
      clock,
      metrics,
      mayIssue: (spiffeId) => (spiffeId === ID ? err({ code: "RS2012", message: "revoked" }) : ok(undefined)),
    });
    assert.ok(result.ok);
    opened.push(result.value);
    const refused = await result.value.issue(ID, [AUDIENCE]);
    assert.equal(refused.ok ? "" : refused.error.code, "RS2012");
    assert.ok((await result.value.issue(`${ID}2`, [AUDIENCE])).ok);
    assert.match(metrics.render(), /ripstop_identity_jwt_issued_total 1/);
    assert.match(metrics.render(), /ripstop_identity_jwt_refused_total\{code="RS2012"\} 1/);
  });

  it("are put on record with their audience, and without the token", async () => {
    const issuer = await open();
    const text = await token(issuer);
    const line = JSON.parse(await readFile(join(directory, "ca/issued-jwt.jsonl"), "utf8")) as Record<string, unknown>;
    assert.equal(line["kind"], "jwt");
    assert.equal(line["serialNumber"], decodeJwt(text).jti);
    assert.deepEqual(line["audience"], [AUDIENCE]);
    assert.ok(!JSON.stringify(line).includes(text.split(".")[2]!));
  });

  it("keep their key over a restart, in a file of mode 0600", async () => {
    const first = await open();
    const text = await token(first);
    const again = await open();
    assert.deepEqual(again.keys(), first.keys());
    assert.equal(await verdict(text, again.keys()), ID);
    assert.equal((await stat(join(directory, "ca/jwt-1.key.pem"))).mode & 0o777, 0o600);
  });

  it("are refused when the records of the keys are damaged", async () => {
    await open();
    await writeFile(join(directory, "ca/jwt-keys.json"), '[{"slot":"../x"}]');
    const result = await openJwtIssuer({ directory: join(directory, "ca"), trustDomain: "test.mesh", clock });
    assert.equal(result.ok ? "" : result.error.code, "RS2041");
  });

  it("get a new key that is published a day ahead, while the old one stays until its last token has expired", async () => {
    const issuer = await open();
    let changes = 0;
    issuer.onChange(() => changes++);
    const old = issuer.keys()[0]!.kid;
    await hours(issuer, 28 * 24);
    assert.equal(issuer.keys().length, 1, "nothing changes for four weeks");
    await hours(issuer, 24);
    assert.equal(issuer.keys().length, 2, "the next key is published");
    assert.equal(changes, 1);
    assert.equal(decodeProtectedHeader(await token(issuer)).kid, old, "the old one still signs");
    clock.advance(DAY - HOUR);
    const longest = await token(issuer, DAY);
    assert.equal(decodeProtectedHeader(longest).kid, old);
    clock.advance(HOUR);
    const next = decodeProtectedHeader(await token(issuer)).kid;
    assert.notEqual(next, old, "the new one signs");
    clock.advance(DAY - 2 * HOUR);
    await token(issuer);
    assert.equal(await verdict(longest, issuer.keys()), ID, "the longest token of the old key is good to its end");
    await hours(issuer, 12);
    assert.deepEqual(
      issuer.keys().map(({ kid }) => kid),
      [next],
      "the old key is gone",
    );
    assert.equal(changes, 2);
    const kept = issuer.keys();
    assert.deepEqual((await open()).keys(), kept);
  });

  it("roll over through years without a token that the published keys of the day before cannot check", async () => {
    const issuer = await open();
    let yesterday = issuer.keys();
    for (let day = 0; day < 200; day++) {
      clock.advance(DAY);
      assert.equal(await verdict(await token(issuer), yesterday), ID, `day ${day}`);
      assert.ok(issuer.keys().length <= 3);
      await token(issuer);
      yesterday = issuer.keys();
    }
  });

  it("come back after a long stop with the old key until the new one has been published for a day", async () => {
    const first = await open();
    const old = first.keys();
    await first.close();
    opened.splice(0);
    clock.advance(400 * DAY);
    const issuer = await open();
    assert.equal(issuer.keys().length, 2);
    assert.equal(await verdict(await token(issuer), old), ID);
    await hours(issuer, 30);
    assert.notEqual(await verdict(await token(issuer), old), ID);
  });

  describe("are refused by a validator", () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const { x = "", y = "" } = publicKey.export({ format: "jwk" });
    const keys: readonly JwtAuthority[] = [{ kid: "k1", jwk: { kty: "EC", crv: "P-256", x, y } }];
    const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    const nowS = Date.UTC(2026, 5, 1) / 1000;
    const good = { sub: ID, aud: [AUDIENCE], exp: nowS + 60 };

    function sign(claims: object, header: object = {}, key = privateKey): Promise<string> {
      return new SignJWT({ ...claims })
        .setProtectedHeader({ alg: "ES256", kid: "k1", typ: "JWT", ...header })
        .sign(key);
    }

    const cases: readonly (readonly [string, () => Promise<string> | string, RegExp])[] = [
      ["with a signature of another key", () => sign(good, {}, other), /signature is wrong/],
      [
        "with a changed payload",
        async () => {
          const parts = (await sign(good)).split(".");
          parts[1] = Buffer.from(JSON.stringify({ ...good, sub: `${ID}x` })).toString("base64url");
          return parts.join(".");
        },
        /signature is wrong/,
      ],
      ["without a signature", () => new UnsecuredJWT({ ...good }).encode(), /not one that JWT-SVIDs|not a signed/],
      [
        "with a secret in place of a key",
        () => new SignJWT({ ...good }).setProtectedHeader({ alg: "HS256", kid: "k1" }).sign(Buffer.alloc(32, "x")),
        /algorithm/,
      ],
      [
        "with an RSA signature under an EC key's id",
        () => new SignJWT({ ...good }).setProtectedHeader({ alg: "RS256", kid: "k1" }).sign(rsa),
        /no key/,
      ],
      ["with an unknown key id", () => sign(good, { kid: "k2" }), /no key/],
      ["with a forbidden header", () => sign(good, { jku: "https://evil.example/" }), /header "jku"/],
      ["with another type", () => sign(good, { typ: "at+jwt" }), /type/],
      ["for another audience", () => sign({ ...good, aud: ["someone"] }), /audience/],
      ["without an audience", () => sign({ sub: ID, exp: nowS + 60 }), /aud/],
      ["without an end", () => sign({ sub: ID, aud: [AUDIENCE] }), /exp/],
      ["after its end and the leeway of 30 s", () => sign({ ...good, exp: nowS - 31 }), /expired/],
      ["before its time", () => sign({ ...good, nbf: nowS + 31 }), /nbf/],
      ["without a subject", () => sign({ aud: [AUDIENCE], exp: nowS + 60 }), /no subject/],
      ["with a subject that is no SPIFFE id", () => sign({ ...good, sub: "web" }), /no SPIFFE id/],
      ["with a trust domain as its subject", () => sign({ ...good, sub: "spiffe://test.mesh" }), /no workload/],
      [
        "with a subject of an unknown trust domain",
        () => sign({ ...good, sub: "spiffe://evil.mesh/ns/a/sa/b" }),
        /no bundle/,
      ],
      ["that are no token", () => "a.b.c", /not a signed JWT/],
      ["that are empty", () => "", /not a signed JWT/],
      ["that are longer than 16 KiB", () => "a".repeat(16_385), /at most/],
    ];
    for (const [what, make, expected] of cases) {
      it(what, async () => assert.match(await verdict(await make(), keys), expected));
    }

    it("but not within the leeway, nor without a key id", async () => {
      assert.equal(await verdict(await sign({ ...good, exp: nowS - 29 }), keys), ID);
      assert.equal(await verdict(await sign(good, { kid: undefined }), keys), ID);
    });
  });

  describe("and their bundle", () => {
    it("survive the way through a bundle document", async () => {
      const issuer = await open();
      const bundle = { ...emptyBundle, jwtAuthorities: issuer.keys(), sequence: 7, refreshHintS: 300 };
      const text = formatBundle(bundle);
      assert.deepEqual(parseBundle(text), { ok: true, value: bundle });
      const document = JSON.parse(text) as { keys: Record<string, unknown>[]; spiffe_sequence: number };
      assert.equal(document.keys[0]?.["use"], "jwt-svid");
      assert.equal(document.spiffe_sequence, 7);
      const jwks = JSON.parse(jwksOf(bundle)) as { keys: Record<string, unknown>[] };
      assert.equal(jwks.keys.length, 1);
      assert.equal(jwks.keys[0]?.["use"], undefined);
    });

    it("leave out keys of unknown uses and types, and such as cannot be used, and never keep a private part", () => {
      const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const jwk = privateKey.export({ format: "jwk" });
      const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
      const parsed = parseBundle(
        JSON.stringify({
          keys: [
            { ...jwk, use: "jwt-svid", kid: "good" },
            { ...jwk, use: "jwt-svid", kid: "good" },
            { ...jwk, use: "jwt-svid" },
            { ...jwk, use: "sig", kid: "a" },
            { ...jwk, kid: "b" },
            { ...weak, use: "jwt-svid", kid: "weak" },
            { kty: "OKP", crv: "Ed25519", x: "AA", use: "jwt-svid", kid: "c" },
            { kty: "EC", crv: "P-256", x: "AA", y: "AA", use: "jwt-svid", kid: "d" },
            { use: "x509-svid", x5c: ["bm90IGEgY2VydGlmaWNhdGU="] },
            { use: "x509-svid", x5c: [] },
            null,
            7,
          ],
        }),
      );
      assert.ok(parsed.ok);
      assert.deepEqual(parsed.value.x509Authorities, []);
      assert.deepEqual(
        parsed.value.jwtAuthorities.map(({ kid }) => kid),
        ["good"],
      );
      assert.ok(!JSON.stringify(parsed.value).includes(jwk.d!));
    });

    for (const text of [
      "",
      "[]",
      "null",
      "{}",
      '{"keys":{}}',
      '{"keys":[],"spiffe_sequence":-1}',
      '{"keys":[],"spiffe_refresh_hint":"5"}',
      `{"keys":[${"1,".repeat(256)}1]}`,
    ]) {
      it(`are refused as ${text.slice(0, 40)}`, () => assert.equal(parseBundle(text).ok, false));
    }
  });
});
