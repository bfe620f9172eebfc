// The clients that web, shopper and thief share: ordinary HTTP, HTTP/2, gRPC, TCP and WebSocket clients that take their
// addresses from the environment, as in any container: HTTP_PROXY for HTTP/1.1, NAME_SERVICE_HOST and NAME_SERVICE_PORT.
import { Agent, request } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import WebSocket from "ws";

const { env } = process;
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const { bookshop } = grpc.loadPackageDefinition(loadSync(fileURLToPath(new URL("orders.proto", import.meta.url))));

/** HTTP/1.1 through HTTP_PROXY: { status, headers, body }. */
export function get(url, { method = "GET", headers = {}, body } = {}) {
  const target = new URL(url);
  const proxy = new URL(env.HTTP_PROXY);
  return new Promise((resolve, reject) => {
    const options = {
      agent,
      host: proxy.hostname,
      port: proxy.port,
      method,
      path: url,
      headers: { host: target.host, ...headers },
    };
    const outgoing = request(options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: text }));
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

let http2Session;

/** HTTP/2 with prior knowledge to REVIEWS_SERVICE_HOST:PORT, on one connection: { status, body }. */
export function getReview(path) {
  if (!http2Session || http2Session.closed || http2Session.destroyed) {
    http2Session = connectHttp2(`http://${env.REVIEWS_SERVICE_HOST}:${env.REVIEWS_SERVICE_PORT}`);
    http2Session.on("error", () => {});
  }
  const session = http2Session;
  return new Promise((resolve, reject) => {
    const stream = session.request({ ":path": path, ":authority": "reviews" });
    let status = 0;
    let text = "";
    stream.setEncoding("utf8");
    stream.on("response", (headers) => (status = headers[":status"]));
    stream.on("data", (chunk) => (text += chunk));
    stream.on("error", reject);
    stream.on("close", () => (status ? resolve({ status, body: text }) : reject(new Error("no answer"))));
    stream.end();
  });
}

let ordersClient;
const orders = () =>
  (ordersClient ??= new bookshop.Orders(
    `${env.ORDERS_SERVICE_HOST}:${env.ORDERS_SERVICE_PORT}`,
    grpc.credentials.createInsecure(),
  ));
const deadline = () => ({ deadline: Date.now() + 10_000 });

/** gRPC, unary: the receipt. */
export function placeOrder(isbn) {
  return new Promise((resolve, reject) => {
    orders().Place({ isbn, copies: 1 }, new grpc.Metadata(), deadline(), (error, receipt) =>
      error ? reject(error) : resolve(receipt),
    );
  });
}

/** gRPC, server streaming: the steps. */
export async function followOrder(receipt) {
  const steps = [];
  for await (const step of orders().Follow(receipt, new grpc.Metadata(), deadline())) steps.push(step.what);
  return steps;
}

/** TCP, the server speaks first: { greeting, copies }. */
export function askStock(isbn) {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(env.STOCK_SERVICE_PORT), env.STOCK_SERVICE_HOST);
    let text = "";
    socket.setEncoding("latin1");
    socket.setTimeout(10_000, () => socket.destroy(new Error("the stock server says nothing")));
    socket.on("data", (chunk) => {
      const before = text.split("\r\n").length;
      text += chunk;
      const lines = text.split("\r\n");
      if (before < 2 && lines.length >= 2) socket.write(`HAVE ${isbn}\r\nBYE\r\n`);
    });
    socket.on("error", reject);
    socket.on("close", () => {
      const [greeting, copies] = text.split("\r\n");
      if (copies) resolve({ greeting, copies: Number(copies) });
      else reject(new Error("the connection was closed"));
    });
  });
}

/** WebSocket: sends a text, gives the welcome and the echo. */
export function sayInChat(text) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`ws://${env.CHAT_SERVICE_HOST}:${env.CHAT_SERVICE_PORT}/`, {
      handshakeTimeout: 10_000,
    });
    const heard = [];
    socket.on("open", () => socket.send(text));
    socket.on("message", (data) => {
      heard.push(String(data));
      if (heard.length === 2) socket.close();
    });
    socket.on("error", reject);
    socket.on("close", () =>
      heard.length === 2 ? resolve({ welcome: heard[0], echo: heard[1] }) : reject(new Error("closed early")),
    );
  });
}
