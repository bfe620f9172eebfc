// What stands behind the proxies: nginx for HTTP/1.1, nghttpd for HTTP/2 and gRPC. All answer a small fixed body.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort, startServer } from "./processes.ts";

/** Running upstreams. */
export interface Upstreams {
  readonly ports: readonly number[];
  stop(): Promise<void>;
}

/** The path of the one gRPC method; nghttpd tells the content type by the ending. */
export const GRPC_PATH = "/bench.Echo/Unary.grpc";
const BODY = "x".repeat(95);

/** Starts `count` HTTP/1.1 servers that answer 95 bytes. */
export async function http1Upstreams(count: number, folder: string): Promise<Upstreams> {
  mkdirSync(folder, { recursive: true });
  const ports = await freePorts(count);
  const servers = ports
    .map((port) => `server { listen 127.0.0.1:${port}; location / { default_type text/plain; return 200 "${BODY}"; } }`)
    .join("\n");
  const file = join(folder, "upstream.conf");
  writeFileSync(
    file,
    `daemon off; worker_processes 1; pid ${folder}/up.pid; error_log stderr error; events { worker_connections 15000; } http { access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_body_temp_path ${folder}/ub; proxy_temp_path ${folder}/up; fastcgi_temp_path ${folder}/uf; uwsgi_temp_path ${folder}/uu; scgi_temp_path ${folder}/us;\n${servers} }\n`,
  );
  const server = await startServer({ command: "nginx", args: ["-p", folder, "-c", file] }, ports[0] ?? 0);
  return { ports, stop: () => server.stop() };
}

/** Starts `count` HTTP/2 prior-knowledge servers that answer 95 bytes for /. */
export function http2Upstreams(count: number, folder: string): Promise<Upstreams> {
  return nghttpd(count, folder, { "index.html": Buffer.from(BODY) }, []);
}

/** Starts `count` gRPC servers: GRPC_PATH answers a message of 32 bytes and the trailer grpc-status 0. */
export function grpcUpstreams(count: number, folder: string): Promise<Upstreams> {
  mkdirSync(folder, { recursive: true });
  const types = join(folder, "mime.types");
  writeFileSync(types, "application/grpc grpc\n");
  return nghttpd(count, folder, { [GRPC_PATH.slice(1)]: grpcMessage(32) }, [
    "--mime-types-file",
    types,
    "--trailer",
    "grpc-status: 0",
  ]);
}

/** A message of `bytes` as gRPC frames it: not compressed, length in four bytes. */
export function grpcMessage(bytes: number): Buffer {
  const message = Buffer.alloc(5 + bytes, "m");
  message.writeUInt8(0, 0);
  message.writeUInt32BE(bytes, 1);
  return message;
}

async function nghttpd(
  count: number,
  folder: string,
  files: Readonly<Record<string, Buffer>>,
  options: readonly string[],
): Promise<Upstreams> {
  const www = join(folder, "www");
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(www, name, ".."), { recursive: true });
    writeFileSync(join(www, name), content);
  }
  const ports = await freePorts(count);
  const servers = await Promise.all(
    ports.map((port) =>
      startServer(
        { command: "nghttpd", args: ["--no-tls", ...options, "-d", www, "-a", "127.0.0.1", String(port)] },
        port,
      ),
    ),
  );
  return { ports, stop: async () => void (await Promise.all(servers.map((server) => server.stop()))) };
}

function freePorts(count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, freePort));
}
