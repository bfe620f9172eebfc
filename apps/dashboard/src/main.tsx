// The dashboard's first page: the live graph of the services, their workloads, and requests as they pass.

import { render, type JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { fetchSnapshot, type Snapshot } from "./api.ts";
import { Details } from "./details.tsx";
import { EventsView } from "./events-view.tsx";
import { percent, short } from "./format.ts";
import { GraphView, type Selection } from "./graph-view.tsx";
import { IdentityView } from "./identity-view.tsx";
import { TapView } from "./tap-view.tsx";
import { WorkloadTable } from "./workload-table.tsx";

const PERIOD_MS = 1000;

function App(): JSX.Element {
  const [snapshot, setSnapshot] = useState<Snapshot>();
  const [awaySince, setAwaySince] = useState<number>();
  const [selection, setSelection] = useState<Selection>();
  useEffect(() => {
    let stopped = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async (): Promise<void> => {
      try {
        const fresh = await fetchSnapshot();
        if (stopped) return;
        setSnapshot(fresh);
        setAwaySince(undefined);
      } catch {
        if (!stopped) setAwaySince((since) => since ?? Date.now());
      }
      if (!stopped) timer = setTimeout(() => void poll(), PERIOD_MS);
    };
    void poll();
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape") setSelection(undefined);
    };
    addEventListener("keydown", onKey);
    return () => {
      stopped = true;
      clearTimeout(timer);
      removeEventListener("keydown", onKey);
    };
  }, []);

  return (
    <>
      <header class="top">
        <img src="./icon.svg" alt="" width="26" height="26" />
        <h1>Ripstop</h1>
        {snapshot && (
          <span class="faint">
            {snapshot.info.trustDomain} · revision {snapshot.info.revision} · {snapshot.info.proxies}{" "}
            {snapshot.info.proxies === 1 ? "proxy" : "proxies"} · version {snapshot.info.version}
          </span>
        )}
        <span class={`live ${awaySince === undefined ? "good" : "bad"}`} role="status">
          {awaySince === undefined
            ? "live"
            : `control plane unreachable since ${new Date(awaySince).toLocaleTimeString("en-GB")}: the figures below are old, traffic goes on`}
        </span>
      </header>
      {snapshot === undefined ? (
        <p class="empty">
          {awaySince === undefined
            ? "Asking the control plane …"
            : "The control plane does not answer yet. This page tries again every second."}
        </p>
      ) : (
        <main class={awaySince === undefined ? "" : "stale"}>
          <Tiles snapshot={snapshot} />
          <section class="picture">
            <GraphView graph={snapshot.graph} selection={selection} onSelect={setSelection} />
            <Details
              graph={snapshot.graph}
              workloads={snapshot.workloads}
              selection={selection}
              onClose={() => setSelection(undefined)}
            />
          </section>
          <WorkloadTable workloads={snapshot.workloads} nowMs={snapshot.graph.timeMs} />
          <IdentityView list={snapshot.identities} />
          <EventsView events={snapshot.events} />
          <TapView />
        </main>
      )}
    </>
  );
}

function Tiles({ snapshot: { graph, workloads } }: { readonly snapshot: Snapshot }): JSX.Element {
  const rate = graph.edges.reduce((sum, edge) => sum + edge.requestsPerSecond, 0);
  const good = graph.edges.reduce((sum, edge) => sum + edge.requestsPerSecond * edge.successRate, 0);
  const denied = graph.edges.reduce((sum, edge) => sum + edge.deniedPerSecond, 0);
  const active = graph.edges.filter(
    (edge) => edge.requestsPerSecond > 0 || edge.bytesPerSecond > 0 || edge.deniedPerSecond > 0,
  );
  const encrypted = active.filter((edge) => edge.mutualTls).length;
  const ready = workloads.filter((workload) => workload.ready).length;
  return (
    <ul class="tiles">
      <Tile name="services" value={String(graph.nodes.length)} />
      <Tile name="workloads ready" value={`${ready} / ${workloads.length}`} />
      <Tile name="requests a second" value={short(rate)} />
      <Tile name="succeeded" value={rate === 0 ? "–" : percent(good / rate)} />
      <Tile name="mutual TLS" value={active.length === 0 ? "–" : percent(encrypted / active.length)} />
      <Tile name="refused a second" value={short(denied)} />
    </ul>
  );
}

function Tile({ name, value }: { readonly name: string; readonly value: string }): JSX.Element {
  return (
    <li>
      <strong>{value}</strong>
      <span>{name}</span>
    </li>
  );
}

const host = document.getElementById("app");
if (host) render(<App />, host);
