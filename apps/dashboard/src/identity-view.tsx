// Who vouches for whom: roots and intermediates, every identity, how long its certificate is good for, what is revoked.

import type { IdentityList, IdentityView as Identity } from "@ripstop/model";
import type { JSX } from "preact";
import { remaining } from "./format.ts";

/** The section; without `list` (a control plane of an older version) there is none. */
export function IdentityView({ list }: { readonly list: IdentityList | undefined }): JSX.Element | null {
  if (list === undefined) return null;
  const certificates = list.revocations.filter(({ serialNumber }) => serialNumber !== "");
  return (
    <section aria-label="identities">
      <header class="bar">
        <h2>Identities</h2>
        <span class="faint">
          {list.authorities.map(({ kind, notAfterMs }) => `${kind}: ${remaining(notAfterMs, list.timeMs)}`).join(" · ")}
        </span>
      </header>
      <div class="scroll short">
        <table>
          <thead>
            <tr>
              <th>Identity</th>
              <th class="number">Workloads</th>
              <th>State</th>
              <th class="number">Issued</th>
              <th class="number">Valid</th>
              <th>Serial</th>
            </tr>
          </thead>
          <tbody>
            {list.identities.map((identity) => (
              <tr key={identity.spiffeId}>
                <td class="mono">{identity.spiffeId}</td>
                <td class="number">{identity.workloads.length}</td>
                <td>
                  <State identity={identity} />
                </td>
                <td class="number">{identity.issued}</td>
                <td class="number">{identity.notAfterMs === 0 ? "–" : remaining(identity.notAfterMs, list.timeMs)}</td>
                <td class="mono faint">{identity.serialNumber}</td>
              </tr>
            ))}
            {certificates.map(({ serialNumber, reason }) => (
              <tr key={serialNumber}>
                <td class="mono">certificate {serialNumber}</td>
                <td />
                <td>
                  <span class="lamp bad" /> <span class="alarm">revoked</span> {reason}
                </td>
                <td />
                <td />
                <td />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function State({ identity: { revocation, overdue, notAfterMs } }: { readonly identity: Identity }): JSX.Element {
  if (revocation !== undefined) {
    return (
      <>
        <span class="lamp bad" /> <span class="alarm">revoked</span> {revocation.reason}
      </>
    );
  }
  if (notAfterMs === 0) {
    return (
      <>
        <span class="lamp fair" /> expired
      </>
    );
  }
  return overdue === "" ? (
    <>
      <span class="lamp good" /> valid
    </>
  ) : (
    <>
      <span class="lamp fair" /> not renewed: {overdue}
    </>
  );
}
