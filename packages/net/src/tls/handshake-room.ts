// Room for a newcomer when as many handshakes are under way as may be: the one whose peer has let us wait longest gives its
// place up. Else a thousand clients that say half a hello would keep everybody out for as long as a handshake may take.

/** Before that nobody gives up its place: in an honest burst the oldest are the nearest to their end. */
export const HANDSHAKE_PATIENCE_MS = 2_000;

/** A handshake under way. */
export interface PendingHandshake {
  /** When it was accepted, by the monotonic clock. */
  readonly sinceMs: number;
  /** It waits for its turn with us, so its peer is not to blame. */
  readonly isQueued: boolean;
  /** Ends it, and is no longer among those under way on return. */
  giveUp(): void;
}

/** Gives up one of `pending`, which are in the order of `sinceMs`, when one has waited for long. */
export function makeRoom(pending: Iterable<PendingHandshake>, nowMs: number): void {
  for (const handshake of pending) {
    if (nowMs - handshake.sinceMs < HANDSHAKE_PATIENCE_MS) return;
    if (handshake.isQueued) continue;
    handshake.giveUp();
    return;
  }
}
