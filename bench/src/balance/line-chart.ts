// A line chart as an SVG text: small, without a library, readable on light and dark pages.

/** One line. */
export interface Line {
  readonly name: string;
  readonly values: readonly number[];
}

/** What to draw. */
export interface LineChart {
  readonly title: string;
  readonly xTitle: string;
  readonly yTitle: string;
  /** Distance of the values on the x axis. */
  readonly xStep: number;
  readonly lines: readonly Line[];
  /** Default: linear. */
  readonly logarithmic?: boolean;
}

const WIDTH = 760;
const HEIGHT = 300;
const LEFT = 64;
const RIGHT = 150;
const TOP = 34;
const BOTTOM = 44;
const COLOURS = ["#d1495b", "#8d99ae", "#2e86ab", "#3a9d5d", "#c98b1b"];

/** The chart as SVG. */
export function lineChart(chart: LineChart): string {
  const { title, xTitle, yTitle, xStep, lines, logarithmic = false } = chart;
  const all = lines.flatMap(({ values }) => values).filter((value) => value > 0);
  const most = niceMost(Math.max(1e-9, ...all));
  const least = logarithmic ? 10 ** Math.floor(Math.log10(Math.min(...all))) : 0;
  const count = Math.max(2, ...lines.map(({ values }) => values.length));
  const x = (at: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * at) / (count - 1);
  const y = (value: number): number => {
    const part = logarithmic
      ? Math.log(Math.max(value, least) / least) / Math.log(most / least)
      : (value - least) / (most - least);
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * Math.min(1, part);
  };
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}" ` +
      `font-family="system-ui, sans-serif" font-size="12" fill="#6b7280" role="img" aria-label="${title}">`,
    `<text x="${LEFT}" y="18" font-size="14" font-weight="600">${title}</text>`,
    `<text x="${LEFT}" y="${HEIGHT - 6}">${xTitle}</text>`,
    `<text transform="translate(14 ${HEIGHT - BOTTOM}) rotate(-90)">${yTitle}</text>`,
  ];
  for (const tick of ticks(least, most, logarithmic)) {
    parts.push(
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(y(tick))}" y2="${round(y(tick))}" stroke="#9ca3af" stroke-opacity="0.3"/>`,
      `<text x="${LEFT - 6}" y="${round(y(tick) + 4)}" text-anchor="end">${label(tick)}</text>`,
    );
  }
  for (let at = 0; at < count; at += Math.max(1, Math.round(count / 9)))
    parts.push(
      `<text x="${round(x(at))}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${label(at * xStep)}</text>`,
    );
  for (const [at, { name, values }] of lines.entries()) {
    const colour = COLOURS[at % COLOURS.length] ?? "#000000";
    const points = values.map((value, position) => `${round(x(position))},${round(y(value))}`).join(" ");
    parts.push(
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points}"/>`,
      `<text x="${WIDTH - RIGHT + 12}" y="${TOP + 14 + at * 18}" fill="${colour}">${name}</text>`,
    );
  }
  return `${parts.join("\n")}\n</svg>\n`;
}

function ticks(least: number, most: number, logarithmic: boolean): number[] {
  if (!logarithmic) return [0, 1, 2, 3, 4].map((part) => (most * part) / 4);
  const found: number[] = [];
  for (let value = least; value <= most * 1.001; value *= 10) found.push(value);
  return found;
}

/** 1, 2, 2.5 or 5 times a power of ten, at least `value`. */
function niceMost(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= value) ?? 10) * power;
}

function round(value: number): string {
  return value.toFixed(1);
}

function label(value: number): string {
  return String(Math.round(value * 1000) / 1000);
}
