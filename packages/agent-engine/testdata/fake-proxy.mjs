// Stands in for `ripstop proxy` in tests: keeps the supervisor's contract, writes what happens to it to $EVENTS.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const directory = process.argv[process.argv.indexOf("--state-dir") + 1];
const event = (text) => appendFileSync(process.env.EVENTS, `${text}\n`);
const mode = process.env.FAKE_PROXY ?? "";

if (mode === "never-starts") process.exit(3);
const bootstrap = JSON.parse(readFileSync(join(directory, "bootstrap.json"), "utf8"));
const [workload] = bootstrap.workloads;
const ports = { workloads: { [workload.id]: { inbound: 15001, httpProxy: 15002, upstreams: workload.upstreams.map((_, i) => 16000 + i) } } };
const again = existsSync(join(directory, "ports.json"));
writeFileSync(join(directory, "ports.json"), JSON.stringify(ports));

process.on("message", (message) => {
  event(`proxy ${message.type}`);
  // The supervisor may be gone already.
  if (message.type === "drain" && process.connected) process.send({ type: "drained" }, () => undefined);
});
process.on("disconnect", () => {
  event("proxy end");
  process.exit(0);
});
event(again ? "proxy start again" : "proxy start");
process.send({ type: "listening", ports });
if (mode === "never-ready") setInterval(() => {}, 1000);
else {
  event("proxy ready");
  if (mode === "hears-of-others")
    process.send({ type: "control-planes", streams: ["127.0.0.1:1", "127.0.0.1:2"], joins: ["127.0.0.1:3", "127.0.0.1:4"] });
  process.send({ type: "ready", fromCache: false });
}
if (mode === "dies-once" && !again) process.kill(process.pid, "SIGKILL");
