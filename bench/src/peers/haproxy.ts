// HAProxy with the duties of a mesh proxy: forwarded-for, request id, trace context, statistics; three upstreams.

import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { hasProgram, startAndWait, stopChild, type Assignment, type Peer } from "./peer.ts";

function config({ protocol, listen, upstreams }: Assignment): string {
  const proto = protocol === "http2" ? " proto h2" : "";
  const servers = upstreams.map((port, at) => `  server s${at} 127.0.0.1:${port}${proto}`).join("\n");
  if (protocol === "tcp") {
    return `global\n  nbthread 1\n  tune.bufsize 262144\ndefaults\n  mode tcp\n  timeout client 60s\n  timeout server 60s\n  timeout connect 5s\nlisten l\n  bind 127.0.0.1:${listen}\n${servers}\n`;
  }
  return `global
  nbthread 1
  maxconn 9000
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  http-reuse always
frontend f
  bind 127.0.0.1:${listen}${proto}
  option forwardfor
  unique-id-format %[uuid()]
  unique-id-header x-request-id
  http-request set-header traceparent "00-%[uuid(),regsub(-,,g)]-%[rand(4294967295),hex]%[rand(4294967295),hex]-01" unless { req.hdr(traceparent) -m found }
  http-request set-header x-forwarded-proto http
  acl is_api path_beg /api
  use_backend b if is_api
  default_backend b
backend b
  balance random(2)
${servers}
`;
}

export const haproxy: Peer = {
  name: "HAProxy",
  missing: () => (hasProgram("haproxy") ? undefined : "apt-get install haproxy"),
  version: () => /version ([^ ]+)/.exec(execFileSync("haproxy", ["-v"], { encoding: "utf8" }))?.[1] ?? "unknown",
  async start(assignment) {
    const file = join(assignment.folder, "haproxy.cfg");
    writeFileSync(file, config(assignment));
    const child = await startAndWait("haproxy", ["-db", "-f", file], assignment.listen);
    return { pids: [child.pid ?? 0], stop: () => stopChild(child) };
  },
};
