// L3: what every role knows of identity. The authority and CSR making are separate entries, so that the proxy loads neither.

export { CLOCK_TOLERANCE_MS, createPeerVerification } from "./peer-verification.ts";
export {
  controlSpiffeId,
  nodeSpiffeId,
  parseSpiffeId,
  workloadOf,
  workloadSpiffeId,
  type SpiffeId,
} from "./spiffe-id.ts";
export { derToPem, pemToDer, sameRoots, type TrustBundleRoots } from "./trust-bundle.ts";
