// HAProxy with the duties of a mesh proxy: forwarded-for, request id, trace context, statistics.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasProgram } from "../processes.ts";
import type { Launch, Peer, PlainAssignment } from "./peer.ts";

const TIMEOUTS = "  timeout client 600s\n  timeout server 600s\n  timeout connect 5s\n";

function tcpConfig({ listen, upstreams }: PlainAssignment): string {
  const servers = upstreams.map((port, at) => `  server s${at} 127.0.0.1:${port}\n`).join("");
  return `global\n  nbthread 1\n  maxconn 9600\n  tune.bufsize 262144\ndefaults\n  mode tcp\n${TIMEOUTS}listen l\n  bind 127.0.0.1:${listen}\n${servers}`;
}

function httpConfig(bind: string, servers: readonly string[]): string {
  return `global
  nbthread 1
  maxconn 9600
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
defaults
  mode http
${TIMEOUTS}  http-reuse always
frontend f
  bind ${bind}
  option forwardfor
  unique-id-format %[uuid()]
  http-request set-header x-request-id %[unique-id] unless { req.hdr(x-request-id) -m found }
  http-request set-header traceparent "00-%[uuid(),regsub(-,,g)]-%[rand(4294967295),hex]%[rand(4294967295),hex]-01" unless { req.hdr(traceparent) -m found }
  http-request set-header x-forwarded-proto http
  acl is_api path_beg /api
  use_backend b if is_api
  default_backend b
backend b
  balance random(2)
${servers.map((server, at) => `  server s${at} ${server}\n`).join("")}`;
}

function launch(folder: string, name: string, config: string): Launch {
  const file = join(folder, name);
  writeFileSync(file, config);
  return { command: "haproxy", args: ["-db", "-f", file] };
}

export const haproxy: Peer = {
  name: "HAProxy",
  missing: () => (hasProgram("haproxy") ? undefined : "apt-get install haproxy"),
  version: () => /version ([^ ]+)/.exec(execFileSync("haproxy", ["-v"], { encoding: "utf8" }))?.[1] ?? "unknown",
  cannot: () => undefined,
  plain: async (assignment) => {
    const { protocol, listen, upstreams, folder } = assignment;
    const proto = protocol === "http2" ? " proto h2" : "";
    const config =
      protocol === "tcp"
        ? tcpConfig(assignment)
        : httpConfig(
            `127.0.0.1:${listen}${proto}`,
            upstreams.map((port) => `127.0.0.1:${port}${proto}`),
          );
    return launch(folder, "plain.cfg", config);
  },
  inbound: async ({ listen, application, folder, mesh }) => {
    const bind = `127.0.0.1:${listen} ssl crt ${mesh.backend.bothFile} ca-file ${mesh.bundleFile} verify required alpn h2`;
    return launch(folder, "inbound.cfg", httpConfig(bind, [`127.0.0.1:${application}`]));
  },
  outbound: async ({ listen, inbound, folder, mesh }) => {
    // No server name: HAProxy would look for it in the certificate, which has a SPIFFE id and no host name.
    const server = `127.0.0.1:${inbound} ssl crt ${mesh.client.bothFile} ca-file ${mesh.bundleFile} verify required alpn h2`;
    return launch(folder, "outbound.cfg", httpConfig(`127.0.0.1:${listen}`, [server]));
  },
};
