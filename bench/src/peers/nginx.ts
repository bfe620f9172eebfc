// nginx with the duties of a mesh proxy, as far as it has them: forwarded-for, request id, trace context; three upstreams.

import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { processTree } from "../process-usage.ts";
import { hasProgram, startAndWait, stopChild, type Assignment, type Peer } from "./peer.ts";

function config({ protocol, listen, upstreams, folder }: Assignment): string {
  const servers = upstreams.map((port) => `server 127.0.0.1:${port};`).join(" ");
  return `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr error;
events { worker_connections 9000; }
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  keepalive_requests 100000000;
  upstream b { random two least_conn; ${servers} keepalive 64; keepalive_requests 100000000; }
  server { listen 127.0.0.1:${listen}${protocol === "http2" ? " http2" : ""};
    location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Request-Id $request_id; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header traceparent "00-$request_id-aaaaaaaaaaaaaaaa-01"; } }
}
`;
}

export const nginx: Peer = {
  name: "nginx",
  missing: () => (hasProgram("nginx") ? undefined : "apt-get install nginx-light"),
  version: () => /nginx\/([^ \n]+)/.exec(spawnSync("nginx", ["-v"], { encoding: "utf8" }).stderr)?.[1] ?? "unknown",
  async start(assignment) {
    mkdirSync(assignment.folder, { recursive: true });
    const file = join(assignment.folder, "nginx.conf");
    writeFileSync(file, config(assignment));
    const child = await startAndWait("nginx", ["-p", assignment.folder, "-c", file], assignment.listen);
    return { pids: processTree(child.pid ?? 0), stop: () => stopChild(child) };
  },
};
