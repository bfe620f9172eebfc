// The picture: a box a service, a line for who calls whom, with rate, success, latency and the mutual-TLS mark.

import type { Graph } from "@ripstop/model";
import type { JSX } from "preact";
import { duration, health, percent, short, shortName } from "./format.ts";
import { box, labelBox, layout, spreadLabels, type PlacedNode, type Point } from "./layout.ts";
import type { Selection } from "./selection.ts";

type Edge = Graph["edges"][number];

/** Key of an edge. */
export function edgeId(edge: Edge): string {
  return `${edge.source}→${edge.destination}`;
}

const MARGIN = 34;
const LABELS_UP_TO = 40;

/** Draws the graph; `onSelect` hears clicks and the Enter key. */
export function GraphView({
  graph,
  selection,
  onSelect,
}: {
  readonly graph: Graph;
  readonly selection: Selection;
  readonly onSelect: (selection: Selection) => void;
}): JSX.Element {
  const known = new Set(graph.nodes.map((node) => node.service));
  const others = new Set(graph.edges.flatMap((edge) => [edge.source, edge.destination]).filter((id) => !known.has(id)));
  const ids = [...known, ...others];
  if (ids.length === 0) {
    return (
      <p class="empty">
        No services yet. Start one: <code>ripstop run --service hello --port 8080 -- node hello.js</code>
      </p>
    );
  }
  const { nodes, bends, width, height } = layout(ids, graph.edges);
  const byService = new Map(graph.nodes.map((node) => [node.service, node]));
  const labels = graph.edges.length <= LABELS_UP_TO;
  const routes = new Map<string, Route>();
  for (const edge of graph.edges) {
    const route = routeOf(nodes.get(edge.source), nodes.get(edge.destination), bends.get(edgeId(edge)) ?? []);
    if (route !== undefined) routes.set(edgeId(edge), route);
  }
  const middles = spreadLabels(new Map([...routes].map(([id, { middle }]) => [id, middle])));
  const touches = (edge: Edge): boolean =>
    selection === undefined ||
    (selection.kind === "edge"
      ? selection.id === edgeId(edge)
      : edge.source === selection.id || edge.destination === selection.id);

  return (
    <svg
      class="graph"
      viewBox={`${-MARGIN} ${-MARGIN} ${width + 2 * MARGIN} ${height + 2 * MARGIN}`}
      style={{ maxHeight: `min(${height + 2 * MARGIN}px, 78vh)` }}
      role="group"
      aria-label={`${ids.length} services and ${graph.edges.length} connections between them`}
      onClick={() => onSelect(undefined)}
    >
      <defs>
        {(["good", "fair", "bad", "denied"] as const).map((kind) => (
          <marker
            key={kind}
            id={`tip-${kind}`}
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="9"
            markerHeight="9"
            orient="auto-start-reverse"
            markerUnits="userSpaceOnUse"
          >
            <path d="M0 0L8 4L0 8z" class={`tip ${kind}`} />
          </marker>
        ))}
      </defs>
      {(["line", "label"] as const).map((part) =>
        graph.edges.map((edge) => (
          <EdgeLine
            key={part + edgeId(edge)}
            part={part}
            edge={edge}
            path={routes.get(edgeId(edge))?.path}
            middle={middles.get(edgeId(edge))}
            dim={!touches(edge)}
            label={labels || (selection !== undefined && touches(edge))}
            onSelect={onSelect}
          />
        )),
      )}
      {ids.map((id) => {
        const at = nodes.get(id);
        const node = byService.get(id);
        if (!at) return null;
        const incoming = graph.edges.filter((edge) => edge.destination === id);
        const rate = incoming.reduce((sum, edge) => sum + edge.requestsPerSecond, 0);
        const failed = incoming.reduce((sum, edge) => sum + edge.requestsPerSecond * (1 - edge.successRate), 0);
        const state =
          node === undefined ? "outside" : node.ready === 0 ? "bad" : health(rate === 0 ? 1 : 1 - failed / rate);
        const pick = (event: Event): void => {
          event.stopPropagation();
          onSelect({ kind: "service", id });
        };
        return (
          <g
            key={id}
            class={`node ${state}${selection?.kind === "service" && selection.id === id ? " selected" : ""}`}
            transform={`translate(${at.x} ${at.y})`}
            tabIndex={0}
            role="button"
            aria-label={`service ${id}, ${node ? `${node.ready} of ${node.workloads} ready` : "outside the mesh"}`}
            onClick={pick}
            onKeyDown={(event) => (event.key === "Enter" || event.key === " ") && pick(event)}
          >
            <rect width={box.width} height={box.height} rx="10" />
            <circle cx="17" cy="21" r="4.5" class="lamp" />
            <text x="30" y="26" class="name">
              {shortName(id)}
            </text>
            <text x="17" y="45" class="sub">
              {node
                ? `${node.versions.filter(Boolean).join(" · ") || "no version"} · ${node.ready}/${node.workloads} ready`
                : "not in the mesh"}
            </text>
            <text x={box.width - 12} y="26" class="rate">
              {rate > 0 ? `${short(rate)}/s` : ""}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

/** How an edge runs: an SVG path, and the point halfway. */
interface Route {
  readonly path: string;
  readonly middle: Point;
}

function routeOf(from: PlacedNode | undefined, to: PlacedNode | undefined, bends: readonly Point[]): Route | undefined {
  if (!from || !to) return undefined;
  const back = to.x <= from.x;
  const x1 = back ? from.x + box.width / 2 : from.x + box.width;
  const y1 = back ? from.y : from.y + box.height / 2;
  const x2 = back ? to.x + box.width / 2 : to.x - 2;
  const y2 = back ? to.y + box.height : to.y + box.height / 2;
  const halfway = { x: (x1 + x2) / 2, y: (y1 + y2) / 2 };
  if (back) return { path: `M${x1} ${y1}C${x1} ${y1 - 60} ${x2} ${y2 + 60} ${x2} ${y2}`, middle: halfway };
  return {
    path: smooth([{ x: x1, y: y1 }, ...bends, { x: x2, y: y2 }]),
    middle: bends[Math.floor(bends.length / 2)] ?? halfway,
  };
}

function EdgeLine({
  part,
  edge,
  path,
  middle,
  dim,
  label,
  onSelect,
}: {
  /** Lines are drawn below all labels, so they come in two passes. */
  readonly part: "line" | "label";
  readonly edge: Edge;
  /** Undefined when an end of the edge is not in the picture. */
  readonly path: string | undefined;
  readonly middle: Point | undefined;
  readonly dim: boolean;
  readonly label: boolean;
  readonly onSelect: (selection: Selection) => void;
}): JSX.Element | null {
  if (path === undefined || middle === undefined) return null;
  const onlyDenied = edge.deniedPerSecond > 0 && edge.requestsPerSecond <= edge.deniedPerSecond * 1.01;
  const kind = onlyDenied ? "denied" : health(edge.successRate);
  const idle = edge.requestsPerSecond === 0 && edge.bytesPerSecond === 0 && edge.deniedPerSecond === 0;
  const weight = Math.min(6, 1.4 + Math.log10(1 + edge.requestsPerSecond));
  const main = onlyDenied
    ? `${short(edge.deniedPerSecond)}/s refused`
    : edge.requestsPerSecond > 0
      ? `${short(edge.requestsPerSecond)}/s · ${percent(edge.successRate)}`
      : edge.bytesPerSecond > 0
        ? `${short(edge.bytesPerSecond)} B/s`
        : "idle";
  const pick = (event: Event): void => {
    event.stopPropagation();
    onSelect({ kind: "edge", id: edgeId(edge) });
  };
  const state = `edge ${kind}${dim ? " dim" : ""}${idle ? " idle" : ""}`;
  if (part === "label") {
    return label ? (
      <g class={state} onClick={pick}>
        <g class="label" transform={`translate(${middle.x} ${middle.y})`}>
          <rect
            x={-labelBox.width / 2}
            y={-labelBox.height / 2}
            width={labelBox.width}
            height={labelBox.height}
            rx="8"
          />
          <Lock closed={edge.mutualTls} x={-51} y={-12} />
          <text y="-3" x="7">
            {main}
          </text>
          <text y="11" x="7" class="faint">
            {edge.p99Ms > 0 ? `p99 ${duration(edge.p99Ms)}` : edge.protocol}
            {edge.deniedPerSecond > 0 && !onlyDenied ? ` · ${short(edge.deniedPerSecond)}/s refused` : ""}
          </text>
        </g>
      </g>
    ) : null;
  }
  return (
    <g
      class={state}
      tabIndex={0}
      role="button"
      aria-label={`${edge.source} to ${edge.destination}: ${main}, ${edge.mutualTls ? "mutual TLS" : "not encrypted"}`}
      onClick={pick}
      onKeyDown={(event) => event.key === "Enter" && pick(event)}
    >
      <path d={path} class="hit" />
      <path d={path} class="line" stroke-width={weight} marker-end={`url(#tip-${kind})`} />
    </g>
  );
}

/** A curve through the points that leaves and enters each one horizontally. */
function smooth(points: readonly Point[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  let path = `M${first.x} ${first.y}`;
  let from = first;
  for (const to of rest) {
    const pull = (to.x - from.x) * 0.5;
    path += `C${from.x + pull} ${from.y} ${to.x - pull} ${to.y} ${to.x} ${to.y}`;
    from = to;
  }
  return path;
}

function Lock({ closed, x, y }: { readonly closed: boolean; readonly x: number; readonly y: number }): JSX.Element {
  return (
    <g class={closed ? "lock closed" : "lock open"} transform={`translate(${x} ${y})`}>
      <title>{closed ? "mutual TLS" : "not encrypted"}</title>
      <path
        d={closed ? "M2.5 5V3.5a2.5 2.5 0 0 1 5 0V5" : "M2.5 5V3.5a2.5 2.5 0 0 1 4.8-1"}
        fill="none"
        stroke-width="1.3"
      />
      <rect x="1" y="5" width="8" height="6" rx="1.4" />
    </g>
  );
}
