// Small real programs that tests run under the mesh, as source for `node --eval`.

/** An HTTP/1.1 server that answers what it was asked, with the request's headers, as JSON. */
export const echoServer = `
require("node:http").createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body, name: process.env.NAME ?? "echo" }));
  });
}).listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
`;

/**
 * A client that reads commands from standard input, one JSON object a line: {"url", "method", "headers", "body"}, sends
 * each through the HTTP proxy of its environment, and prints one line of JSON an answer: {"status", "headers", "body"}.
 */
export const httpClient = `
const http = require("node:http");
const proxy = new URL(process.env.HTTP_PROXY);
const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
console.log("client ready");
require("node:readline").createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, url, method = "GET", headers = {}, body } = JSON.parse(line);
  const target = new URL(url);
  const outgoing = http.request({ agent, host: proxy.hostname, port: proxy.port, method, path: url, headers: { host: target.host, ...headers } }, (response) => {
    let text = "";
    response.setEncoding("utf8");
    response.on("data", (chunk) => (text += chunk));
    response.on("end", () => console.log(JSON.stringify({ id, status: response.statusCode, headers: response.headers, body: text })));
  });
  outgoing.on("error", (error) => console.log(JSON.stringify({ id, status: 0, headers: {}, body: String(error) })));
  outgoing.end(body);
}).on("close", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
`;
