// Reviews: HTTP/2. Sometimes slow; with FLAKY=1 every third answer is a 503.
import { createServer } from "node:http2";

const flaky = process.env.FLAKY === "1";
const texts = ["A classic.", "Heavy, but worth it.", "I still look things up in it.", "My cat loves it too."];
const counts = { requests: 0, failed: 0 };

const server = createServer();
server.on("stream", (stream, headers) => {
  const answer = (status, body) => {
    if (stream.destroyed) return;
    stream.respond({ ":status": status, "content-type": "application/json" });
    stream.end(JSON.stringify(body));
  };
  stream.on("error", () => {});
  const path = headers[":path"];
  if (path === "/stats") return answer(200, { instance: process.pid, flaky, ...counts });
  const number = ++counts.requests;
  if (flaky && number % 3 === 0) {
    counts.failed++;
    return answer(503, { error: "the review database is not in the mood" });
  }
  const review = { path, stars: 3 + (number % 3), text: texts[number % texts.length] };
  if (number % 50 === 0) setTimeout(() => answer(200, review), 300);
  else answer(200, review);
});

server.listen(Number(process.env.PORT), () =>
  console.log(`reviews listens on ${process.env.PORT}${flaky ? ", and is flaky" : ""}`),
);
process.on("SIGTERM", () => process.exit(0));
