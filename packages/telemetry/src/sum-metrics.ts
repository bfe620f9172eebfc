// One Prometheus page of several processes' pages: the workers of a proxy report as one.

/** Gauges that say the same in every process: the largest value counts. All others are added up. */
const SAME_EVERYWHERE = /_(info|seconds)$/;

/**
 * Adds up pages that `MetricRegistry.render` made. Counters, histograms and gauges are summed by name and labels; of
 * gauges that describe (`..._info`, `..._seconds`) the largest value is kept.
 */
export function sumMetrics(pages: readonly string[]): string {
  const metrics = new Map<string, { readonly lead: string[]; readonly series: Map<string, number>; isSame: boolean }>();
  for (const page of pages) {
    let name = "";
    for (const line of page.split("\n")) {
      if (line === "") continue;
      if (line.startsWith("# ")) {
        const [, word = "", of = "", type = ""] = line.split(" ");
        name = of;
        const known = metrics.get(name) ?? { lead: [], series: new Map<string, number>(), isSame: false };
        metrics.set(name, known);
        if (known.lead.length < 2 && !known.lead.some((one) => one.startsWith(`# ${word} `))) known.lead.push(line);
        if (word === "TYPE" && type === "gauge") known.isSame = SAME_EVERYWHERE.test(name);
        continue;
      }
      const metric = metrics.get(name);
      const at = line.lastIndexOf(" ");
      if (metric === undefined || at < 0) continue;
      const key = line.slice(0, at);
      const value = Number(line.slice(at + 1).replace("Inf", "Infinity"));
      const before = metric.series.get(key);
      if (before === undefined) metric.series.set(key, value);
      else metric.series.set(key, metric.isSame ? Math.max(before, value) : before + value);
    }
  }
  let text = "";
  for (const { lead, series } of metrics.values()) {
    for (const line of lead) text += `${line}\n`;
    for (const [key, value] of series) text += `${key} ${formatValue(value)}\n`;
  }
  return text;
}

function formatValue(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}
