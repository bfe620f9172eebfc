// A program that asks several services at steady rates and says every second what came back, as source for `node --eval`.

/** RATES: JSON of host name → requests a second. Prints {"passed": {host: n}, "refused": {...}, "failed": {...}, "ms": n} a second. */
export const steadyLoad = `
const http = require("node:http");
const rates = JSON.parse(process.env.RATES);
const proxy = new URL(process.env.HTTP_PROXY);
// One agent for each: what waits for a service that is gone must not hold up the others.
const agents = Object.fromEntries(Object.keys(rates).map((host) => [host, new http.Agent({ keepAlive: true, maxSockets: 64 })]));
let counts = { passed: {}, refused: {}, failed: {} };
const count = (what, host) => { counts[what][host] = (counts[what][host] ?? 0) + 1; };
const ask = (host) => {
  const outgoing = http.request({ agent: agents[host], host: proxy.hostname, port: proxy.port, path: "http://" + host + "/", headers: { host } }, (response) => {
    response.resume();
    response.on("end", () => count(response.statusCode === 200 ? "passed" : response.statusCode === 429 ? "refused" : "failed", host));
    response.on("error", () => undefined);
  });
  outgoing.on("error", () => count("failed", host));
  outgoing.end();
};
const begun = process.hrtime.bigint();
const sent = {};
setInterval(() => {
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  for (const [host, rate] of Object.entries(rates)) {
    // What a slow machine missed is not made up for all at once.
    const due = Math.min(seconds * rate - (sent[host] ?? 0), rate / 5);
    for (let at = 0; at < Math.floor(due); at++) ask(host);
    sent[host] = seconds * rate - (due - Math.floor(due));
  }
}, 10);
let saidAt = begun;
setInterval(() => {
  // A slow machine's seconds are longer: the time that the counts are of is said with them.
  const now = process.hrtime.bigint();
  console.log(JSON.stringify({ ...counts, ms: Number(now - saidAt) / 1e6 }));
  saidAt = now;
  counts = { passed: {}, refused: {}, failed: {} };
}, 1000);
process.on("SIGTERM", () => process.exit(0));
`;
