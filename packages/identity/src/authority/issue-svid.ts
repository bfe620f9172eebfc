// Signs an X.509-SVID for a key that was proven by a CSR, and logs it before it is handed out.

import { err, ok, type Clock, type Result } from "@ripstop/core";

import { authorityExpired, identityNotIssuable, issuanceNotLogged, ttlOutOfRange } from "../errors.ts";
import { parseSpiffeId } from "../spiffe-id.ts";
import type { IssuedSvid, IssueRefusal } from "./authority.ts";
import { sha256Hex, type Ca } from "./ca-certificate.ts";
import { leafSubject, makeCertificate } from "./certificate-maker.ts";
import { checkCsr, refusal } from "./csr-check.ts";
import type { IssuanceLog } from "./issuance-log.ts";
import { messageOf } from "./key-store.ts";

const SECOND = 1000;
const MIN_TTL_MS = 10 * SECOND;
const MAX_TTL_MS = 24 * 3600 * SECOND;
/** Clocks that are behind by up to this accept a fresh certificate. */
const BACKDATE_MS = 5 * 60 * SECOND;

/** Who signs at this moment. */
export interface Signer {
  readonly ca: Ca;
  /** Of the root that its chain leads to, hex. */
  readonly rootSha256: string;
}

/** What is asked for. */
export interface SvidWish {
  readonly csrPem: string;
  readonly spiffeId: string;
  readonly ttlMs: number;
}

/** What issuing needs. */
export interface IssueContext {
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly log: IssuanceLog;
  /** Asked before anything is signed. */
  readonly mayIssue: ((spiffeId: string) => Result<undefined, IssueRefusal>) | undefined;
  /** Asked for when the CSR is checked; both of one moment, as a rotation may switch them. */
  signer(): Promise<Result<Signer, IssueRefusal>>;
}

/** Issues, or says why not: RS2001 to RS2009, RS2011. */
export async function issueSvid(
  context: IssueContext,
  { csrPem, spiffeId, ttlMs }: SvidWish,
): Promise<Result<IssuedSvid, IssueRefusal>> {
  const id = parseSpiffeId(spiffeId);
  if (!id.ok) return err(refusal(identityNotIssuable, id.error));
  if (id.value.trustDomain !== context.trustDomain) {
    return err(refusal(identityNotIssuable, `the trust domain here is ${context.trustDomain}`));
  }
  if (id.value.path === "") return err(refusal(identityNotIssuable, "the id of a trust domain is not a workload's"));
  if (!isTtl(ttlMs)) return err(refusal(ttlOutOfRange, `${ttlMs} ms were asked for`));
  const allowed = context.mayIssue?.(spiffeId) ?? ok(undefined);
  if (!allowed.ok) return allowed;
  const key = await checkCsr(csrPem, spiffeId);
  if (!key.ok) return key;
  const signer = await context.signer();
  if (!signer.ok) return signer;
  const { ca, rootSha256 } = signer.value;
  const nowMs = context.clock.nowMs();
  if (nowMs >= ca.notAfterMs) return err(refusal(authorityExpired, "the signing certificate has expired"));
  const notBeforeMs = floorSecond(nowMs - BACKDATE_MS);
  const notAfterMs = floorSecond(Math.min(nowMs + ttlMs, ca.notAfterMs));
  const { pem, serialNumber } = await makeCertificate(
    {
      subject: leafSubject,
      issuer: ca.subject,
      issuerKeyId: ca.keyId,
      uri: spiffeId,
      publicKey: key.value,
      notBeforeMs,
      notAfterMs,
      pathLength: undefined,
    },
    ca.key,
  );
  try {
    const keySha256 = sha256Hex(key.value);
    await context.log.append({
      timeMs: nowMs,
      kind: "svid",
      spiffeId,
      serialNumber,
      notBeforeMs,
      notAfterMs,
      keySha256,
    });
  } catch (error) {
    return err(refusal(issuanceNotLogged, messageOf(error)));
  }
  return ok({ spiffeId, chainPem: pem + ca.chainPem, notBeforeMs, notAfterMs, serialNumber, rootSha256 });
}

/** True for a lifetime that an SVID may have: 10 s to 24 h. */
export function isTtl(ms: number): boolean {
  return ms >= MIN_TTL_MS && ms <= MAX_TTL_MS;
}

function floorSecond(ms: number): number {
  return Math.floor(ms / SECOND) * SECOND;
}
