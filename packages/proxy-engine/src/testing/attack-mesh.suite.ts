// What the attack tests share: a guarded shop with two proxies, and an application that remembers what reached it.

import assert from "node:assert/strict";
import type { IncomingHttpHeaders, RequestListener } from "node:http";
import { meshEndpoint, TestMesh, type TestProxy } from "./test-mesh.suite.ts";
import { eventually, fetchVia, httpApp, type Started } from "./test-peers.suite.ts";

/** A request as the application saw it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  body: string;
  trailers: IncomingHttpHeaders;
}

/** The parts of an attack test. */
export interface AttackMesh {
  readonly mesh: TestMesh;
  readonly web: TestProxy;
  readonly stock: TestProxy;
  /** The port of web's declared upstream "stock". */
  readonly port: number;
  /** Requests that reached the application, oldest first. */
  readonly seen: Seen[];
  /** Requests that the application has not answered. */
  readonly open: () => number;
  /** Another client is served meanwhile. */
  othersAreServed(): Promise<void>;
  /** Waits until nothing is under way in either proxy. */
  untilQuiet(): Promise<void>;
}

/** Answers at once, but a path that begins with "/hang" never. */
const answerAll: RequestListener = (request, response) => {
  if (request.url?.startsWith("/hang") !== true) response.end("ok");
};

/** Runs `attack` on service shop/stock, called by shop/web. */
export async function withAttackMesh(
  attack: (parts: AttackMesh) => Promise<void>,
  listener: RequestListener = answerAll,
): Promise<void> {
  const mesh = await TestMesh.create();
  const seen: Seen[] = [];
  let open = 0;
  const app: Started = await httpApp((request, response) => {
    const { method = "", url = "", headers, rawHeaders } = request;
    const one: Seen = { method, url, headers, rawHeaders, body: "", trailers: {} };
    seen.push(one);
    open++;
    response.on("close", () => open--);
    request.on("data", (chunk: Buffer) => (one.body += chunk.toString("latin1")));
    request.on("end", () => (one.trailers = request.trailers as IncomingHttpHeaders));
    request.on("error", () => undefined);
    listener(request, response);
  });
  try {
    const stock = await mesh.start({
      id: "shop/stock-1",
      service: "shop/stock",
      ports: [{ port: 8080, applicationPort: app.port }],
    });
    mesh.service("shop/stock", {
      ports: [{ port: 80 }],
      endpoints: [meshEndpoint("shop/stock-1", stock, { 80: 8080 })],
    });
    const web = await mesh.start({
      id: "shop/web-1",
      service: "shop/web",
      upstreams: [{ host: "stock", port: 80 }],
    });
    await attack({
      mesh,
      web,
      stock,
      port: web.ports.upstreams[0] ?? 0,
      seen,
      open: () => open,
      othersAreServed: async () => {
        const answer = await fetchVia(web.ports.httpProxy, "http://stock/honest");
        assert.equal(answer.status, 200);
      },
      untilQuiet: () => eventually(() => web.proxy.live.exchanges + stock.proxy.live.exchanges + open === 0),
    });
  } finally {
    await mesh.close();
    await app.close();
  }
}
