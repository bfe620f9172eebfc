// nginx with the duties of a mesh proxy, as far as it has them: forwarded-for, request id, trace context.

import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasProgram } from "../processes.ts";
import type { Launch, Peer } from "./peer.ts";

function launch(folder: string, listen: string, upstreams: readonly number[]): Launch {
  const servers = upstreams.map((port) => `server 127.0.0.1:${port};`).join(" ");
  const config = `daemon off; worker_processes 1; pid ${folder}/nginx.pid; error_log stderr error; worker_rlimit_nofile 20000;
events { worker_connections 19000; }
http {
  access_log off; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  keepalive_requests 100000000; keepalive_timeout 600s;
  upstream b { random two least_conn; ${servers} keepalive 64; keepalive_requests 100000000; }
  server { listen ${listen}
    location / { proxy_pass http://b; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Request-Id $request_id; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header traceparent "00-$request_id-aaaaaaaaaaaaaaaa-01"; } }
}
`;
  const file = join(folder, "nginx.conf");
  writeFileSync(file, config);
  return { command: "nginx", args: ["-p", folder, "-c", file] };
}

export const nginx: Peer = {
  name: "nginx",
  missing: () => (hasProgram("nginx") ? undefined : "apt-get install nginx-light"),
  version: () => /nginx\/([^ \n]+)/.exec(spawnSync("nginx", ["-v"], { encoding: "utf8" }).stderr)?.[1] ?? "unknown",
  cannot: (duty) => {
    if (duty === "http2" || duty === "outbound") return "it speaks only HTTP/1.1 to its upstreams";
    return duty === "tcp" ? "its stream module is a package of its own" : undefined;
  },
  plain: async ({ listen, upstreams, folder }) => launch(folder, `127.0.0.1:${listen};`, upstreams),
  inbound: async ({ listen, application, folder, mesh }) => {
    const { chainFile, keyFile } = mesh.backend;
    const tls = `ssl_certificate ${chainFile}; ssl_certificate_key ${keyFile}; ssl_client_certificate ${mesh.bundleFile}; ssl_verify_client on; ssl_verify_depth 5; ssl_protocols TLSv1.3; ssl_session_cache none; ssl_session_tickets on;`;
    return launch(folder, `127.0.0.1:${listen} ssl http2; ${tls}`, [application]);
  },
  outbound: () => Promise.reject(new Error("nginx has no outbound side")),
};
