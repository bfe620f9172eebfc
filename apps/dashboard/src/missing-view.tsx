// Control planes that do not answer the one that serves this page: what they see is missing.

import type { UnknownReplica } from "@ripstop/model";
import type { JSX } from "preact";

/** A line for each; nothing when all answer. */
export function MissingView({ unknown }: { readonly unknown: readonly UnknownReplica[] }): JSX.Element | null {
  if (unknown.length === 0) return null;
  return (
    <ul class="missing" role="alert">
      {unknown.map(({ id, streamAddress, proxies, reason }) => (
        <li key={id}>
          <span class="lamp bad" /> control plane <span class="mono">{id.slice(0, 8)}</span> ({streamAddress}): {reason}
          . What its {proxies} {proxies === 1 ? "proxy sees" : "proxies see"} is missing below.
        </li>
      ))}
    </ul>
  );
}
