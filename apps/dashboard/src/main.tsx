// The dashboard's first page: the live graph of the services, their workloads, and requests as they pass.

import type { ControlInfo } from "@ripstop/model";
import { render, type JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { fetchSnapshot, type Snapshot } from "./api.ts";
import { Details } from "./details.tsx";
import { EventsView } from "./events-view.tsx";
import { percent, short } from "./format.ts";
import { GraphView } from "./graph-view.tsx";
import { IdentityView } from "./identity-view.tsx";
import { MissingView } from "./missing-view.tsx";
import { readSelection, writeSelection, type Selection } from "./selection.ts";
import { TapView } from "./tap-view.tsx";
import { WorkloadTable } from "./workload-table.tsx";

const PERIOD_MS = 1000;

function App(): JSX.Element {
  const [snapshot, setSnapshot] = useState<Snapshot>();
  const [awaySince, setAwaySince] = useState<number>();
  const [selection, setSelection] = useState<Selection>(() => readSelection(location.hash));
  const select = (picked: Selection): void => {
    // Without a fragment the address would still end in "#".
    history.replaceState(undefined, "", writeSelection(picked) || location.pathname);
    setSelection(picked);
  };
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
      if (event.key === "Escape") select(undefined);
    };
    const onHash = (): void => setSelection(readSelection(location.hash));
    addEventListener("keydown", onKey);
    addEventListener("hashchange", onHash);
    return () => {
      stopped = true;
      clearTimeout(timer);
      removeEventListener("keydown", onKey);
      removeEventListener("hashchange", onHash);
    };
  }, []);

  return (
    <>
      <header class="top">
        <img src="./icon.svg" alt="" width="26" height="26" />
        <h1>Ripstop</h1>
        {snapshot && (
          <span class="faint">
            {snapshot.info.trustDomain} · revision {snapshot.info.revision} · {proxiesText(snapshot.info)} · version{" "}
            {snapshot.info.version}
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
          <MissingView unknown={snapshot.unknown} />
          <Tiles snapshot={snapshot} />
          <section class="picture">
            <GraphView graph={snapshot.graph} selection={selection} onSelect={select} />
            <Details
              graph={snapshot.graph}
              workloads={snapshot.workloads}
              mirrors={snapshot.mirrors}
              selection={selection}
              onClose={() => select(undefined)}
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

/** "12 proxies", of all control planes when there are several. */
function proxiesText({ proxies: own, replicas }: ControlInfo): string {
  const all = replicas?.reduce((sum, { proxies, self }) => sum + (self ? own : proxies), 0) ?? own;
  const at = replicas === undefined || replicas.length < 2 ? "" : ` at ${replicas.length} control planes`;
  return `${all} ${all === 1 ? "proxy" : "proxies"}${at}`;
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
