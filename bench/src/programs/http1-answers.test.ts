// The answer reader of the load programs.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Http1Answers } from "./http1-answers.ts";

function statusesOf(chunks: readonly string[]): number[] {
  const statuses: number[] = [];
  const answers = new Http1Answers((status) => statuses.push(status));
  for (const chunk of chunks) answers.push(Buffer.from(chunk));
  return statuses;
}

describe("answers of HTTP/1.1", () => {
  it("tells an answer once its content-length is there, however it was cut", () => {
    const text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    assert.deepEqual(statusesOf([text]), [200]);
    assert.deepEqual(statusesOf([...text]), [200]);
    assert.deepEqual(statusesOf([text.slice(0, -1)]), []);
  });

  it("tells a chunked answer at its last chunk, and an empty one", () => {
    const text = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    assert.deepEqual(statusesOf([...text]), [200]);
    assert.deepEqual(statusesOf(["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"]), [200]);
  });

  it("tells the status of each of several answers in turn", () => {
    assert.deepEqual(
      statusesOf(["HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"]),
      [503, 200],
    );
  });
});
