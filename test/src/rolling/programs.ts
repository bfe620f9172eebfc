// The applications of the rolling update, as source for `node --eval`. None of them waits for anything when it is told to end.

/**
 * Answers after a few milliseconds of work; ends at once on SIGTERM. It closes no idle connection: one that is closed just as
 * a POST comes is a failure that no proxy can hide.
 */
export const shopServer = `
const server = require("node:http").createServer((request, response) => {
  request.resume();
  request.on("end", () => setTimeout(() => response.end("from " + process.pid), 5));
});
server.keepAliveTimeout = 0;
server.listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
`;

/** Sends every WebSocket message back. */
export const chatServer = `
const { WebSocketServer } = require("ws");
new WebSocketServer({ port: Number(process.env.PORT), host: "127.0.0.1" }).on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
process.on("SIGTERM", () => process.exit(0));
`;

/** Sends every message of a gRPC stream back. */
export const talkServer = `
const grpc = require("@grpc/grpc-js");
const asIs = (value) => value;
const server = new grpc.Server();
server.addService({ Talk: { path: "/talk.Talk/Talk", requestStream: true, responseStream: true, requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs } },
  { Talk: (call) => { call.on("data", (data) => call.write(data)); call.on("end", () => call.end()); } });
server.bindAsync("127.0.0.1:" + process.env.PORT, grpc.ServerCredentials.createInsecure(), () => undefined);
process.on("SIGTERM", () => process.exit(0));
`;

/**
 * Holds one WebSocket to "chat" and one gRPC stream to "talk", and sends a number over each, one after the other. "count" on
 * standard input is answered by one line of JSON: how many came back over each, and what ended them.
 */
export const holder = `
const grpc = require("@grpc/grpc-js");
const WebSocket = require("ws");
const state = { webSocket: 0, grpc: 0, ended: [] };
const asIs = (value) => value;
const chat = new WebSocket("ws://127.0.0.1:" + process.env.CHAT_SERVICE_PORT + "/");
const sendChat = () => chat.send("m" + state.webSocket);
chat.on("open", sendChat);
chat.on("message", (data) => { if (String(data) !== "m" + state.webSocket) state.ended.push("webSocket: wrong message " + data); state.webSocket++; setTimeout(sendChat, 20); });
chat.on("close", (code) => state.ended.push("webSocket: closed " + code));
chat.on("error", (error) => state.ended.push("webSocket: " + error.message));
const client = new grpc.Client("127.0.0.1:" + process.env.TALK_SERVICE_PORT, grpc.credentials.createInsecure());
const talk = client.makeBidiStreamRequest("/talk.Talk/Talk", asIs, asIs);
const sendTalk = () => talk.write(Buffer.from("m" + state.grpc));
talk.on("data", (data) => { if (String(data) !== "m" + state.grpc) state.ended.push("grpc: wrong message " + data); state.grpc++; setTimeout(sendTalk, 20); });
talk.on("error", (error) => state.ended.push("grpc: " + error.message));
talk.on("end", () => state.ended.push("grpc: ended"));
sendTalk();
require("node:readline").createInterface({ input: process.stdin }).on("line", () => console.log("held " + JSON.stringify(state)));
process.on("SIGTERM", () => process.exit(0));
console.log("holder ready");
`;
