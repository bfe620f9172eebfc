// Servers that the tests with real peers run under the mesh.

/** gRPC, all four kinds of call, on bytes: "Echo", "Collect", "Spread", "Chat"; "Fail" and "Hang" for errors. As source for `node --eval`. */
export const grpcServer = `
const grpc = require("@grpc/grpc-js");
const same = (bytes) => bytes;
const method = (name, requestStream, responseStream) => ({ path: "/test.Bytes/" + name, requestStream, responseStream, requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same });
let cancelled = 0;
const server = new grpc.Server();
server.addService(
  { Echo: method("Echo", false, false), Fail: method("Fail", false, false), Hang: method("Hang", false, false), Cancelled: method("Cancelled", false, false), Collect: method("Collect", true, false), Spread: method("Spread", false, true), Chat: method("Chat", true, true) },
  {
    Echo: (call, done) => done(null, call.request),
    Fail: (call, done) => done({ code: grpc.status.FAILED_PRECONDITION, details: "not today" }),
    Hang: (call) => call.on("cancelled", () => cancelled++),
    Cancelled: (call, done) => done(null, Buffer.from(String(cancelled))),
    Collect: (call, done) => { const parts = []; call.on("data", (part) => parts.push(part)); call.on("end", () => done(null, Buffer.concat(parts))); },
    Spread: (call) => { for (let at = 0; at < 100; at++) call.write(Buffer.concat([call.request, Buffer.from(String(at))])); call.end(); },
    Chat: (call) => { call.on("data", (part) => call.write(part)); call.on("end", () => call.end()); },
  },
);
server.bindAsync("127.0.0.1:" + process.env.PORT, grpc.ServerCredentials.createInsecure(), (error) => { if (error) throw error; });
process.on("SIGTERM", () => process.exit(0));
`;

/** A WebSocket server that sends back what it gets. As source for `node --eval`. */
export const webSocketServer = `
const { WebSocketServer } = require("ws");
new WebSocketServer({ port: Number(process.env.PORT), host: "127.0.0.1" }).on("connection", (socket) => {
  socket.on("error", () => undefined);
  socket.on("message", (data, binary) => socket.send(data, { binary }));
});
process.on("SIGTERM", () => process.exit(0));
`;

/** A WebSocket client: sends texts and binaries of many sizes, compares, pings, closes with 4001. Arguments: the URL. */
export const webSocketClient = `
const WebSocket = require("ws");
const socket = new WebSocket(process.argv[1], { perMessageDeflate: process.argv[2] === "deflate" });
const sizes = [0, 1, 125, 126, 65535, 65536, 1_000_000];
let next = 0, pong = false;
const send = () => socket.send(Buffer.alloc(sizes[next], next + 65), { binary: next % 2 === 0 });
socket.on("open", () => { socket.ping("are you there"); send(); });
socket.on("pong", () => (pong = true));
socket.on("message", (data, binary) => {
  if (!data.equals(Buffer.alloc(sizes[next], next + 65)) || binary !== (next % 2 === 0)) throw new Error("differs at " + sizes[next]);
  if (++next < sizes.length) send(); else socket.close(4001, "enough");
});
socket.on("close", (code) => console.log("messages " + next + " pong " + pong + " code " + code));
`;

/**
 * A WebSocket client over HTTP/2 (extended CONNECT, RFC 8441): messages of many sizes on two streams of one connection,
 * compared. Arguments: origin. As source for `node --eval`.
 */
export const webSocketHttp2Client = `
const { connect } = require("node:http2");
const { Sender, Receiver } = require("ws");
const session = connect(process.argv[1]);
const sizes = [0, 1, 125, 126, 65535, 65536, 1_000_000];
const converse = (byte) => new Promise((resolve, reject) => {
  const stream = session.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": "/", ":scheme": "http", ":authority": "chat", "sec-websocket-version": "13" }, { endStream: false });
  stream.on("error", reject);
  stream.on("response", (head) => {
    if (head[":status"] !== 200) return reject(new Error("status " + head[":status"]));
    const sender = new Sender(stream);
    const receiver = new Receiver({ isServer: false, binaryType: "nodebuffer" });
    let next = 0;
    const send = () => sender.send(Buffer.alloc(sizes[next], next + byte), { fin: true, binary: true, mask: true, compress: false });
    receiver.on("message", (data) => {
      if (!data.equals(Buffer.alloc(sizes[next], next + byte))) return reject(new Error("differs at " + sizes[next]));
      if (++next < sizes.length) send(); else sender.close(4002, "enough", true);
    });
    receiver.on("conclude", (code) => { stream.end(); resolve(next + " code " + code); });
    receiver.on("error", reject);
    stream.on("data", (chunk) => receiver.write(chunk));
    send();
  });
});
session.on("remoteSettings", (settings) => {
  if (!settings.enableConnectProtocol) throw new Error("no extended CONNECT");
  Promise.all([converse(65), converse(97)]).then((done) => { console.log("messages " + done.join(" messages ")); session.close(); });
});
`;

/**
 * Server-sent events, each sent only when "POST /next" asks for it; "/" is a page that listens to them, asks for the next
 * itself, and talks on a WebSocket. As source for `node --eval`.
 */
export const liveServer = `
const { WebSocketServer } = require("ws");
const listeners = new Set();
let count = 0;
const page = \`<!doctype html><title>Live</title><ul id="heard"></ul><script>
  const say = (text) => { const item = document.createElement("li"); item.textContent = text; document.getElementById("heard").append(item); };
  const events = new EventSource("/events");
  events.onopen = () => fetch("/next", { method: "POST" });
  events.onmessage = ({ data }) => { say("event " + data); if (data === "3") events.close(); else fetch("/next", { method: "POST" }); };
  const socket = new WebSocket("ws://" + location.host + "/socket");
  socket.onopen = () => socket.send("from the browser");
  socket.onmessage = ({ data }) => { say("socket " + data); socket.close(); };
</script>\`;
const server = require("node:http").createServer((request, response) => {
  request.resume();
  if (request.url === "/events") {
    count = 0;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(": begun\\n\\n");
    listeners.add(response);
    response.on("close", () => listeners.delete(response));
  } else if (request.url === "/next") {
    count++;
    for (const listener of listeners) listener.write("data: " + count + "\\n\\n");
    response.end(String(listeners.size));
  } else {
    response.setHeader("content-type", "text/html");
    response.end(page);
  }
});
new WebSocketServer({ server }).on("connection", (socket) => socket.on("message", (data) => socket.send("echo " + data)));
server.listen(Number(process.env.PORT), "127.0.0.1");
process.on("SIGTERM", () => process.exit(0));
`;

/** Prints its environment's upstream ports as one line of JSON and stays. As source for `node --eval`. */
export const portPrinter = `
console.log(JSON.stringify({ ports: Object.fromEntries(Object.entries(process.env).filter(([name]) => name.endsWith("_SERVICE_PORT")).map(([name, port]) => [name.slice(0, -13), Number(port)])), proxy: process.env.HTTP_PROXY }));
setInterval(() => undefined, 1000);
process.on("SIGTERM", () => process.exit(0));
`;

/** nginx as a server of files on `$PORT`, in front of the service "echo", or with gRPC in front of "bytes". As source for `sh -c`. */
export const nginxServer = `
d=$(mktemp -d); head -c 3000000 /dev/zero | tr '\\0' x > $d/big; echo hello > $d/small; chmod -R a+rX $d
if [ -n "$ECHO_SERVICE_PORT" ]; then l="proxy_pass http://127.0.0.1:$ECHO_SERVICE_PORT; proxy_http_version 1.1; proxy_set_header Host echo; proxy_set_header Connection '';"
elif [ -n "$BYTES_SERVICE_PORT" ]; then v=" http2"; l="grpc_pass grpc://127.0.0.1:$BYTES_SERVICE_PORT; grpc_read_timeout 30s; client_max_body_size 20m;"; else l="root $d;"; fi
cat > $d/nginx.conf <<END
daemon off; master_process off; pid $d/pid; error_log stderr warn; worker_rlimit_nofile 1024;
events { worker_connections 256; }
http { access_log off; client_body_temp_path $d/b; proxy_temp_path $d/p; fastcgi_temp_path $d/f; uwsgi_temp_path $d/u; scgi_temp_path $d/s;
  server { listen 127.0.0.1:$PORT$v; location / { $l } } }
END
trap 'kill $n; rm -rf $d; exit 0' TERM; nginx -c $d/nginx.conf & n=$!; wait $n
`;

/** HAProxy on `$PORT` in front of the service "echo" (`HAPROXY_PROTOCOL` "proto h2" speaks HTTP/2 to it), or with an answer of its own. As source for `sh -c`. */
export const haproxyServer = `
d=$(mktemp -d)
if [ -n "$ECHO_SERVICE_PORT" ]; then l="server mesh 127.0.0.1:$ECHO_SERVICE_PORT $HAPROXY_PROTOCOL"; b="http-request set-header host echo"; else l=""; b="http-request return status 200 content-type text/plain string haproxy"; fi
printf 'defaults\\n mode http\\n timeout client 30s\\n timeout server 30s\\n timeout connect 5s\\nlisten l\\n bind 127.0.0.1:%s\\n %s\\n %s\\n' "$PORT" "$b" "$l" > $d/haproxy.cfg
trap 'kill $n; rm -rf $d; exit 0' TERM; haproxy -f $d/haproxy.cfg & n=$!; wait $n
`;

/** PostgreSQL with a cluster of its own on `$PORT`, as the user postgres. As source for `sh -c`. */
export const postgresServer = `
d=$(mktemp -d); chown postgres $d; b=$(ls -d /usr/lib/postgresql/*/bin | tail -1)
su postgres -s /bin/sh -c "$b/initdb -D $d/data -A trust -U postgres --no-sync >/dev/null"
trap 'kill -INT $n; wait $n; rm -rf $d; exit 0' TERM
setpriv --reuid postgres --regid postgres --clear-groups $b/postgres -D $d/data -p $PORT -h 127.0.0.1 -k $d -F & n=$!; wait $n
`;
