// What stands behind the proxies: nginx for HTTP/1.1, nghttpd for HTTP/2. Both answer a small fixed body.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, startAndWait, stopChild } from "./peers/peer.ts";

/** Running upstreams. */
export interface Upstreams {
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

/** Starts `count` HTTP/1.1 servers that answer 95 bytes. */
export async function http1Upstreams(count: number, folder: string): Promise<Upstreams> {
  mkdirSync(folder, { recursive: true });
  const ports = await Promise.all(Array.from({ length: count }, freePort));
  const body = "x".repeat(95);
  const servers = ports.map((port) => `server { listen 127.0.0.1:${port}; location / { default_type text/plain; return 200 "${body}"; } }`).join("\n");
  const file = join(folder, "upstream.conf");
  writeFileSync(file, `daemon off; worker_processes 1; pid ${folder}/up.pid; error_log stderr error; events { worker_connections 9000; } http { access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_body_temp_path ${folder}/ub; proxy_temp_path ${folder}/up; fastcgi_temp_path ${folder}/uf; uwsgi_temp_path ${folder}/uu; scgi_temp_path ${folder}/us;\n${servers} }\n`);
  const child = await startAndWait("nginx", ["-p", folder, "-c", file], ports[0] ?? 0);
  return { ports, stop: () => stopChild(child) };
}

/** Starts `count` HTTP/2 prior-knowledge servers that answer 95 bytes for /. */
export async function http2Upstreams(count: number, folder: string): Promise<Upstreams> {
  mkdirSync(join(folder, "www"), { recursive: true });
  writeFileSync(join(folder, "www", "index.html"), "x".repeat(95));
  const ports = await Promise.all(Array.from({ length: count }, freePort));
  const children = await Promise.all(ports.map((port) => startAndWait("nghttpd", ["--no-tls", "-d", join(folder, "www"), "-a", "127.0.0.1", String(port)], port)));
  return { ports, stop: async () => void (await Promise.all(children.map(stopChild))) };
}
