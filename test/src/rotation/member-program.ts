// A member of the ring, as source for `node --eval`: serves HTTP, sends a steady rate of requests to the next member, and
// keeps one TCP connection through the mesh open. It counts what an application notices: failures and closed connections.

/** Arguments: URL of the next member, requests a second. The line "start" on standard input begins it, every other one is answered with the counts. */
export const memberProgram = `
const http = require("node:http"), net = require("node:net");
const [next, rate] = [process.argv[1], Number(process.argv[2])];
const counts = { sent: 0, answered: 0, failed: 0, clientClosed: 0, pipeClosed: 0, pings: 0, causes: {} };
const server = http.createServer((request, response) => response.end("ok"));
server.keepAliveTimeout = 0;
server.listen(Number(process.env.PORT), "127.0.0.1");

const proxy = new URL(process.env.HTTP_PROXY);
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const seen = new WeakSet();
const fail = (cause) => { counts.failed++; counts.causes[cause] = (counts.causes[cause] ?? 0) + 1; };
const send = () => {
  counts.sent++;
  const request = http.request({ agent, host: proxy.hostname, port: proxy.port, path: next, headers: { host: new URL(next).host } }, (response) => {
    let text = "";
    response.on("data", (chunk) => (text += chunk));
    response.on("end", () => (response.statusCode === 200 && text === "ok" ? counts.answered++ : fail(response.statusCode + " " + text.replace(/"requestId".*/, "").slice(0, 200))));
  });
  request.on("socket", (socket) => { if (!seen.has(socket)) { seen.add(socket); socket.on("close", () => counts.clientClosed++); } });
  request.on("error", (error) => fail(error.message));
  request.end();
};
const load = () => {
  const started = performance.now();
  let due = 0;
  setInterval(() => { const now = (performance.now() - started) / 1000 * rate; while (due < now) { due++; send(); } }, 10);
};

const pipe = () => {
  const socket = net.connect(Number(process.env.PIPE_SERVICE_PORT), "127.0.0.1");
  let timer;
  socket.on("connect", () => { timer = setInterval(() => socket.write("ping"), 100); });
  socket.on("data", () => counts.pings++);
  socket.on("error", () => undefined);
  socket.on("close", () => { counts.pipeClosed++; clearInterval(timer); setTimeout(pipe, 200); });
};
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "start") { load(); pipe(); }
  else console.log("counts " + JSON.stringify(counts));
});
process.on("SIGTERM", () => process.exit(0));
`;

/** A TCP server that sends back what it gets. As source for `node --eval`. */
export const pipeProgram = `
require("node:net").createServer((socket) => { socket.on("error", () => undefined); socket.pipe(socket); }).listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
`;
