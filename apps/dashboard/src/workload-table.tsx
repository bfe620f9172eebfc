// Every workload with its identity, its proxy and its traffic.

import type { WorkloadView } from "@ripstop/model";
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { megabytes, remaining } from "./format.ts";

/** The table, with a box to filter it. */
export function WorkloadTable({
  workloads,
  nowMs,
}: {
  readonly workloads: readonly WorkloadView[];
  readonly nowMs: number;
}): JSX.Element {
  const [filter, setFilter] = useState("");
  const wanted = filter.trim().toLowerCase();
  const shown = workloads
    .filter((workload) =>
      `${workload.id} ${workload.service} ${workload.version} ${workload.spiffeId}`.toLowerCase().includes(wanted),
    )
    .toSorted(
      (a, b) => a.service.localeCompare(b.service) || a.version.localeCompare(b.version) || a.id.localeCompare(b.id),
    );
  return (
    <section>
      <header class="bar">
        <h2>Workloads</h2>
        <input
          type="search"
          placeholder="filter by name, version or identity"
          aria-label="filter workloads"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      </header>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th>Service</th>
              <th>Version</th>
              <th>Identity</th>
              <th>State</th>
              <th>Mutual TLS</th>
              <th class="number">Requests</th>
              <th class="number">Proxy</th>
              <th class="number">SVID valid</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((workload) => (
              <tr key={workload.id}>
                <td title={workload.id}>{workload.service}</td>
                <td>{workload.version || "–"}</td>
                <td class="mono">{workload.spiffeId}</td>
                <td>
                  <span class={`lamp ${workload.ready ? "good" : "fair"}`} /> {workload.ready ? "ready" : "starting"}
                  {workload.proxyConnected ? "" : " · proxy away"}
                </td>
                <td>
                  {workload.mutualTls === undefined ? (
                    <span class="faint">no traffic yet</span>
                  ) : workload.mutualTls ? (
                    "yes"
                  ) : (
                    <span class="alarm">no</span>
                  )}
                </td>
                <td class="number">{workload.requests.toLocaleString("en")}</td>
                <td class="number">{megabytes(workload.proxyResidentBytes)}</td>
                <td class="number">{remaining(workload.svidNotAfterMs, nowMs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length === 0 && (
        <p class="empty">
          {workloads.length === 0 ? "No workload has joined yet." : "No workload matches the filter."}
        </p>
      )}
    </section>
  );
}
