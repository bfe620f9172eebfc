// Layered layout of a directed graph (Sugiyama style, small): callers on the left, callees to the right.
// Deterministic, so that the picture stands still while numbers change.

/** A service and where its box stands. */
export interface PlacedNode {
  readonly id: string;
  readonly x: number;
  readonly y: number;
}

/** Size of a box and of the gaps, in user units of the picture. */
export const box = { width: 168, height: 58, gapX: 158, gapY: 26 } as const;

/** Size of the label of an edge, in the same units. */
export const labelBox = { width: 116, height: 34 } as const;
const LABEL_GAP = 3;

/** A point of the picture. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where everything stands. */
export interface Layout {
  readonly nodes: ReadonlyMap<string, PlacedNode>;
  /** By "SOURCE→DESTINATION": points that an edge over several layers passes through, so that it crosses no box. */
  readonly bends: ReadonlyMap<string, readonly Point[]>;
  readonly width: number;
  readonly height: number;
}

/** Positions for all nodes. Cycles are allowed: edges that close one are ignored for the layers. */
export function layout(
  ids: readonly string[],
  edges: readonly { readonly source: string; readonly destination: string }[],
): Layout {
  const sorted = [...ids].sort();
  const forward = forwardEdges(sorted, edges);
  const layerOf = longestPathLayers(sorted, forward);
  const layers: string[][] = [];
  const put = (id: string, layer: number): void => void (layers[layer] ??= []).push(id);
  for (const id of sorted) put(id, layerOf.get(id) ?? 0);

  const chains = new Map<string, string[]>();
  const short = new Map<string, string[]>(sorted.map((id) => [id, []]));
  for (const [source, targets] of forward) {
    for (const target of targets) {
      let previous = source;
      const chain: string[] = [];
      for (let layer = (layerOf.get(source) ?? 0) + 1; layer < (layerOf.get(target) ?? 0); layer++) {
        const bend = `${source}→${target}#${layer}`;
        chain.push(bend);
        put(bend, layer);
        short.set(bend, []);
        short.get(previous)?.push(bend);
        previous = bend;
      }
      short.get(previous)?.push(target);
      if (chain.length > 0) chains.set(`${source}→${target}`, chain);
    }
  }
  orderByBarycentre(layers, short);

  const tallest = Math.max(1, ...layers.map((layer) => layer.length));
  const height = tallest * (box.height + box.gapY) - box.gapY;
  const nodes = new Map<string, PlacedNode>();
  layers.forEach((layer, column) => {
    const used = layer.length * (box.height + box.gapY) - box.gapY;
    layer.forEach((id, row) => {
      nodes.set(id, { id, x: column * (box.width + box.gapX), y: (height - used) / 2 + row * (box.height + box.gapY) });
    });
  });
  const bends = new Map<string, Point[]>();
  for (const [edge, chain] of chains) {
    bends.set(
      edge,
      chain.flatMap((id) => {
        const at = nodes.get(id);
        nodes.delete(id);
        return at ? [{ x: at.x + box.width / 2, y: at.y + box.height / 2 }] : [];
      }),
    );
  }
  return { nodes, bends, width: Math.max(1, layers.length) * (box.width + box.gapX) - box.gapX, height };
}

/** Moves the middles of labels up and down, as little as it takes, until none covers another. */
export function spreadLabels(middles: ReadonlyMap<string, Point>): ReadonlyMap<string, Point> {
  const placed = new Map<string, Point>();
  const step = labelBox.height + LABEL_GAP;
  for (const [id, wanted] of [...middles].sort(([, a], [, b]) => a.y - b.y)) {
    const beside = [...placed.values()].filter(({ x }) => Math.abs(x - wanted.x) < labelBox.width);
    const isFree = (y: number): boolean => beside.every((other) => Math.abs(other.y - y) >= step);
    const candidates = [wanted.y, ...beside.flatMap(({ y }) => [y + step, y - step])].filter(isFree);
    const y = candidates.sort((a, b) => Math.abs(a - wanted.y) - Math.abs(b - wanted.y))[0] ?? wanted.y;
    placed.set(id, { x: wanted.x, y });
  }
  return placed;
}

type Adjacency = ReadonlyMap<string, readonly string[]>;

/** The edges without those that close a cycle, found by depth-first search in name order. */
function forwardEdges(
  ids: readonly string[],
  edges: readonly { readonly source: string; readonly destination: string }[],
): Adjacency {
  const out = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const { source, destination } of edges) {
    if (source !== destination && out.has(destination)) out.get(source)?.push(destination);
  }
  const state = new Map<string, "open" | "done">();
  const kept = new Map<string, string[]>(ids.map((id) => [id, []]));
  const visit = (id: string): void => {
    state.set(id, "open");
    for (const next of (out.get(id) ?? []).sort()) {
      if (state.get(next) === "open") continue;
      kept.get(id)?.push(next);
      if (!state.has(next)) visit(next);
    }
    state.set(id, "done");
  };
  const called = new Set(edges.map((edge) => edge.destination));
  for (const id of ids) if (!called.has(id) && !state.has(id)) visit(id);
  for (const id of ids) if (!state.has(id)) visit(id);
  return kept;
}

function longestPathLayers(ids: readonly string[], out: Adjacency): Map<string, number> {
  const layer = new Map<string, number>(ids.map((id) => [id, 0]));
  for (let round = 0, changed = true; changed && round <= ids.length; round++) {
    changed = false;
    for (const id of ids) {
      for (const next of out.get(id) ?? []) {
        const wanted = (layer.get(id) ?? 0) + 1;
        if ((layer.get(next) ?? 0) < wanted) {
          layer.set(next, wanted);
          changed = true;
        }
      }
    }
  }
  return layer;
}

function orderByBarycentre(layers: string[][], out: Adjacency): void {
  const into = new Map<string, string[]>();
  for (const [id, targets] of out) {
    for (const target of targets) {
      const list = into.get(target);
      if (list) list.push(id);
      else into.set(target, [id]);
    }
  }
  const rank = new Map<string, number>();
  const remember = (layer: readonly string[]): void => layer.forEach((id, at) => rank.set(id, at - layer.length / 2));
  const sortBy = (layer: string[], neighbours: Adjacency): void => {
    const centre = (id: string): number => {
      const around = neighbours.get(id) ?? [];
      return around.length === 0
        ? (rank.get(id) ?? 0)
        : around.reduce((sum, other) => sum + (rank.get(other) ?? 0), 0) / around.length;
    };
    const keys = new Map(layer.map((id) => [id, centre(id)]));
    layer.sort((a, b) => (keys.get(a) ?? 0) - (keys.get(b) ?? 0) || (a < b ? -1 : 1));
    remember(layer);
  };
  layers.forEach(remember);
  for (let pass = 0; pass < 4; pass++) {
    for (const layer of layers) sortBy(layer, into);
    for (const layer of layers.toReversed()) sortBy(layer, out);
  }
}
