// SPIFFE ids as tables show them.

/** "spiffe://example/ns/shop/sa/web" → "shop/web"; another shape keeps its path; "" → "-". */
export function shortIdentity(spiffeId: string): string {
  if (spiffeId === "") return "-";
  const match = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(spiffeId);
  return match === null ? spiffeId.replace("spiffe://", "") : `${match[1] ?? ""}/${match[2] ?? ""}`;
}
