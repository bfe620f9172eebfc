// The PROXY protocol with those who made it and use it: HAProxy sends and accepts it, nginx accepts it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { Mesh } from "./mesh.ts";
import { echoServer } from "./programs.ts";
import { needsProgram } from "./requirements.ts";

const exec = promisify(execFile);
const skip =
  needsProgram("curl", "apt-get install curl") ||
  needsProgram("nginx", "apt-get install nginx-light") ||
  needsProgram("haproxy", "apt-get install haproxy");

/** A loopback address that no program takes unless it is told to. */
const CLIENT = "127.0.0.9";

/** HAProxy on `$PORT`, in front of the upstream port that `$UPSTREAM` names. */
const haproxyInFront = (upstream: string, send: string): string => `
d=$(mktemp -d)
printf 'defaults\\n mode tcp\\n timeout client 30s\\n timeout server 30s\\n timeout connect 5s\\nlisten l\\n bind 127.0.0.1:%s\\n server mesh 127.0.0.1:%s ${send}\\n' "$PORT" "$${upstream}_SERVICE_PORT" > $d/haproxy.cfg
echo "front port $PORT."; trap 'kill $n; rm -rf $d; exit 0' TERM; haproxy -f $d/haproxy.cfg & n=$!; wait $n
`;

/** HAProxy on `$PORT` that takes nothing without a header, and answers the client's address. */
const haproxyBehind = `
d=$(mktemp -d)
printf 'defaults\\n mode http\\n timeout client 30s\\n timeout server 30s\\n timeout connect 5s\\nlisten l\\n bind 127.0.0.1:%s accept-proxy\\n http-request return status 200 content-type text/plain lf-string "haproxy saw %%[src]"\\n' "$PORT" > $d/haproxy.cfg
trap 'kill $n; rm -rf $d; exit 0' TERM; haproxy -f $d/haproxy.cfg & n=$!; wait $n
`;

/** nginx on `$PORT` that takes nothing without a header, and answers what it said. */
const nginxBehind = `
d=$(mktemp -d)
cat > $d/nginx.conf <<END
daemon off; master_process off; pid $d/pid; error_log stderr crit; worker_rlimit_nofile 1024;
events { worker_connections 256; }
http { access_log off; client_body_temp_path $d/b; proxy_temp_path $d/p; fastcgi_temp_path $d/f; uwsgi_temp_path $d/u; scgi_temp_path $d/s;
  server { listen 127.0.0.1:$PORT proxy_protocol; location / { return 200 "nginx saw \\$proxy_protocol_addr \\$http_x_forwarded_for"; } } }
END
trap 'kill $n; rm -rf $d; exit 0' TERM; nginx -c $d/nginx.conf & n=$!; wait $n
`;

describe("the PROXY protocol through the mesh", { skip }, () => {
  const mesh = new Mesh();
  const fronts = new Map<string, string>();

  before(async () => {
    await mesh.startControl();
    const serve = (service: string, options: readonly string[], command: readonly string[]): void => {
      mesh.ripstop(["run", "--service", service, "--port", "auto", ...options, "--", ...command]);
    };
    serve("echo", ["--protocol", "http"], [process.execPath, "--eval", echoServer]);
    serve("nginx", ["--protocol", "tcp", "--send-proxy", "v2"], ["sh", "-c", nginxBehind]);
    serve("nginxhttp", ["--protocol", "http", "--send-proxy", "v1"], ["sh", "-c", nginxBehind]);
    serve("haproxy", ["--protocol", "tcp", "--send-proxy", "v1"], ["sh", "-c", haproxyBehind]);
    await mesh.until("all servers are ready", async () => {
      const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
        workloads: { ready: boolean }[];
      };
      return workloads.filter((workload) => workload.ready).length === 4 ? true : undefined;
    });
    for (const [upstream, send] of [
      ["echo", "send-proxy"],
      ["nginx", "send-proxy-v2"],
      ["nginxhttp", "send-proxy"],
      ["haproxy", "send-proxy-v2 proxy-v2-options crc32c,unique-id"],
    ] as const) {
      const front = mesh.ripstop([
        "run",
        "--service",
        `front-${upstream}`,
        "--port",
        "auto",
        "--proxied-upstream",
        upstream,
        "--",
        "sh",
        "-c",
        haproxyInFront(upstream.toUpperCase(), send),
      ]);
      const [, port = ""] = await front.printed(/^front port ([0-9]+)\.$/m);
      fronts.set(upstream, port);
    }
  });
  after(() => mesh.stop());

  /** What the front answers to a client at CLIENT. */
  async function ask(front: string): Promise<string> {
    const url = `http://127.0.0.1:${fronts.get(front) ?? ""}/`;
    const args = ["-sSf", "--retry", "60", "--retry-all-errors", "--retry-delay", "1", "--interface", CLIENT, url];
    return (await exec("curl", args, { timeout: 120_000 })).stdout;
  }

  it("HAProxy's client is in the forwarded field that a service gets", async () => {
    const { headers } = JSON.parse(await ask("echo")) as { headers: Record<string, string> };
    assert.equal(headers["x-forwarded-for"], `${CLIENT}, 127.0.0.1`);
  });

  it("HAProxy's client is told to nginx at the other end of a raw connection", async () => {
    assert.match(await ask("nginx"), new RegExp(`^nginx saw ${CLIENT} `));
  });

  it("HAProxy's client is told to HAProxy at the other end, with a checksum and extensions on the way in", async () => {
    assert.equal(await ask("haproxy"), `haproxy saw ${CLIENT}`);
  });

  it("nginx gets a header on HTTP connections, and the client in the forwarded field", async () => {
    assert.equal(await ask("nginxhttp"), `nginx saw 127.0.0.1 ${CLIENT}, 127.0.0.1`);
  });
});
