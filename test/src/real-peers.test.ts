// Other people's clients and servers through two proxies, unchanged.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { Client, credentials, status as grpcStatus, type ServiceError } from "@grpc/grpc-js";
import { Mesh, root } from "./mesh.ts";
import {
  grpcServer,
  haproxyServer,
  liveServer,
  nginxServer,
  portPrinter,
  postgresServer,
  webSocketClient,
  webSocketHttp2Client,
  webSocketServer,
} from "./peer-programs.ts";
import { echoServer } from "./programs.ts";
import { Browser, needsBrowser } from "./browser.ts";
import { needsProgram, needsRoot } from "./requirements.ts";

const exec = promisify(execFile);
const MB = 1024 * 1024;

const skip = {
  curl: needsProgram("curl", "apt-get install curl"),
  chromium: needsBrowser,
  nginx: needsProgram("nginx", "apt-get install nginx-light"),
  haproxy: needsProgram("haproxy", "apt-get install haproxy"),
  h2load: needsProgram("h2load", "apt-get install nghttp2-client"),
  nghttpd: needsProgram("nghttpd", "apt-get install nghttp2-server"),
  redis: needsProgram("redis-server", "apt-get install redis-server"),
  postgres: needsProgram("psql", "apt-get install postgresql") || needsRoot("start PostgreSQL as its own user"),
};

/** Runs a program to its end; its output. */
async function run(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await exec(command, args, { cwd: root, maxBuffer: 64 * MB, timeout: 120_000 });
  return stdout;
}

interface EchoAnswer {
  readonly method: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

describe("real clients and servers through the mesh", () => {
  const mesh = new Mesh();
  const folder = mkdtempSync(join(tmpdir(), "ripstop-peers-"));
  let ports: Readonly<Record<string, number>> = {};
  let httpProxy = "";

  const serve = (service: string, protocol: string, command: readonly string[], more: readonly string[] = []): void => {
    mesh.ripstop(["run", "--service", service, "--port", "auto", "--protocol", protocol, ...more, "--", ...command]);
  };
  const url = (service: string, path = "/"): string => `http://127.0.0.1:${ports[service]}${path}`;

  before(async () => {
    await mesh.startControl();
    const node = process.execPath;
    serve("echo", "http", [node, "--eval", echoServer]);
    serve("bytes", "grpc", [node, "--eval", grpcServer]);
    serve("chat", "auto", [node, "--eval", webSocketServer]);
    serve("live", "http", [node, "--eval", liveServer]);
    const started = ["echo", "bytes", "chat", "live"];
    const when = (missing: string | false, service: string, start: () => void): void => {
      if (missing !== false) return;
      start();
      started.push(service);
    };
    when(skip.nginx, "files", () => serve("files", "http", ["sh", "-c", nginxServer]));
    when(skip.nginx, "edge", () => serve("edge", "http", ["sh", "-c", nginxServer], ["--upstream", "echo"]));
    when(skip.nginx, "calls", () => serve("calls", "grpc", ["sh", "-c", nginxServer], ["--upstream", "bytes"]));
    when(skip.haproxy, "front2", () =>
      serve("front2", "http", ["sh", "-c", `HAPROXY_PROTOCOL="proto h2"; ${haproxyServer}`], ["--upstream", "echo"]),
    );
    when(skip.haproxy, "answer", () => serve("answer", "http", ["sh", "-c", haproxyServer]));
    when(skip.haproxy, "front", () => serve("front", "http", ["sh", "-c", haproxyServer], ["--upstream", "echo"]));
    when(skip.nghttpd, "h2files", () => {
      writeFileSync(join(folder, "index.html"), "h".repeat(100_000));
      serve("h2files", "http2", ["sh", "-c", `exec nghttpd --no-tls -a 127.0.0.1 -d ${folder} $PORT`]);
    });
    when(skip.redis, "redis", () =>
      serve("redis", "tcp", [
        "sh",
        "-c",
        "exec redis-server --port $PORT --bind 127.0.0.1 --save '' --appendonly no --daemonize no",
      ]),
    );
    when(skip.postgres, "postgres", () => serve("postgres", "tcp", ["sh", "-c", postgresServer]));
    await mesh.until("all servers are ready", async () => {
      const { workloads } = JSON.parse((await mesh.api("GET", "/v1/workloads")).body) as {
        workloads: { ready: boolean }[];
      };
      return workloads.filter((workload) => workload.ready).length === started.length ? true : undefined;
    });
    const caller = mesh.ripstop([
      "run",
      "--service",
      "caller",
      ...started.flatMap((service) => ["--upstream", service]),
      "--",
      node,
      "--eval",
      portPrinter,
    ]);
    const printed = JSON.parse((await caller.printed(/^\{"ports".*\}$/m))[0]) as {
      ports: Record<string, number>;
      proxy: string;
    };
    ports = Object.fromEntries(Object.entries(printed.ports).map(([name, port]) => [name.toLowerCase(), port]));
    httpProxy = printed.proxy;
  });
  after(async () => {
    await mesh.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });

  describe("curl", { skip: skip.curl }, () => {
    const upload = join(folder, "upload");
    before(() => writeFileSync(upload, "u".repeat(3 * MB)));

    for (const [name, flags] of [
      ["HTTP/1.1", ["--http1.1"]],
      ["HTTP/1.0", ["--http1.0"]],
      ["HTTP/2 with prior knowledge", ["--http2-prior-knowledge"]],
      ["HTTP/1.1 with an offer of HTTP/2, taken up where there is no body", ["--http2"]],
    ] as const) {
      it(`gets and posts over ${name}`, async () => {
        const answer = JSON.parse(await run("curl", "-sSf", ...flags, "-d", "name=value", url("echo"))) as EchoAnswer;
        assert.equal(answer.method, "POST");
        assert.equal(answer.body, "name=value");
        assert.match(
          await run("curl", "-sSf", ...flags, "-o", "/dev/null", "-w", "%{http_code}", url("echo")),
          /^200$/,
        );
      });

      it(`uploads 3 MB over ${name}`, async () => {
        const answer = JSON.parse(
          await run("curl", "-sSf", ...flags, "--data-binary", `@${upload}`, url("echo")),
        ) as EchoAnswer;
        assert.equal(answer.body.length, 3 * MB);
      });
    }

    it("goes on in HTTP/2 when it offers the upgrade, and has no version that is not here", async () => {
      const { stdout, stderr } = await exec("curl", ["-sSf", "--http2", "-v", url("echo"), url("echo", "/again")]);
      assert.match(stderr, /^< HTTP\/1\.1 101 /m);
      assert.equal([...stderr.matchAll(/^< HTTP\/2 200 /gm)].length, 2);
      const [first, second] = stdout.split(/(?<=\})(?=\{)/).map((text) => JSON.parse(text) as EchoAnswer);
      assert.equal(first?.method, "GET");
      assert.equal(second?.method, "GET");
      for (const name of ["upgrade", "http2-settings"]) assert.equal(first?.headers[name], undefined);
      // HTTP/3 is the one that would be missing.
      assert.doesNotMatch(await run("curl", "-V"), /HTTP3/);
    });

    it("hears each server-sent event as it comes, over HTTP/1.1 and HTTP/2", async () => {
      for (const flags of [["--http1.1"], ["--http2-prior-knowledge"]]) {
        const listening = mesh.program("curl", ["-sSfN", ...flags, url("live", "/events")]);
        // Nothing more is sent before the last event was heard: what is held back anywhere is never heard.
        await listening.printed(/: begun\n\n/);
        for (let event = 1; event <= 5; event++) {
          assert.equal(await run("curl", "-sSf", "-X", "POST", url("live", "/next")), "1");
          await listening.printed(new RegExp(`data: ${event}\\n\\n`));
        }
        listening.child.kill();
        await listening.ended;
        await mesh.until("the server has heard that the listener left", async () =>
          (await run("curl", "-sSf", "-X", "POST", url("live", "/next"))) === "0" ? true : undefined,
        );
      }
    });

    it("waits for 100 Continue and uploads in chunks", async () => {
      const answer = JSON.parse(
        await run(
          "curl",
          "-sSf",
          "--http1.1",
          "-T",
          upload,
          "-H",
          "Transfer-Encoding: chunked",
          "-H",
          "Expect: 100-continue",
          "--expect100-timeout",
          "30",
          url("echo"),
        ),
      ) as EchoAnswer;
      assert.equal(answer.method, "PUT");
      assert.equal(answer.body.length, 3 * MB);
    });

    it("goes through the HTTP proxy of its environment, and through a CONNECT tunnel", async () => {
      const answer = JSON.parse(await run("curl", "-sSf", "-x", httpProxy, "http://echo/")) as EchoAnswer;
      assert.equal(answer.headers["host"], "echo");
      const tunnelled = JSON.parse(await run("curl", "-sSf", "-p", "-x", httpProxy, "http://echo/")) as EchoAnswer;
      assert.equal(tunnelled.headers["host"], "echo");
    });

    it("gets HEAD answers and several URLs over one connection", async () => {
      assert.match(await run("curl", "-sSf", "-I", url("echo")), /^HTTP\/1.1 200 /);
      assert.match(
        await run(
          "curl",
          "-sSf",
          "-o",
          "/dev/null",
          "-o",
          "/dev/null",
          "-w",
          "%{num_connects};",
          url("echo"),
          url("echo"),
        ),
        /^1;0;$/,
      );
    });
  });

  describe("grpc-js", () => {
    const same = (bytes: Buffer): Buffer => bytes;
    let client: Client;
    before(() => (client = new Client(`127.0.0.1:${ports["bytes"]}`, credentials.createInsecure())));
    after(() => client.close());

    const unary = (method: string, bytes: Buffer, deadlineMs = 120_000): Promise<Buffer> =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(
          `/test.Bytes/${method}`,
          same,
          same,
          bytes,
          { deadline: Date.now() + deadlineMs },
          (error, answer) =>
            error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error("no answer")),
        );
      });
    const failsWith = (code: grpcStatus) => (error: ServiceError) => error.code === code;

    it("makes unary calls", async () => {
      assert.equal((await unary("Echo", Buffer.from("hello"))).toString(), "hello");
      assert.equal((await unary("Echo", Buffer.alloc(2 * MB, 7))).length, 2 * MB);
    });

    it("streams from the client, from the server and both ways", async () => {
      const collected = await new Promise<Buffer>((resolve, reject) => {
        const call = client.makeClientStreamRequest<Buffer, Buffer>(
          "/test.Bytes/Collect",
          same,
          same,
          (error, answer) =>
            error === null && answer !== undefined ? resolve(answer) : reject(error ?? new Error("no answer")),
        );
        for (let at = 0; at < 50; at++) call.write(Buffer.from(`${at},`));
        call.end();
      });
      assert.equal(collected.toString().split(",").length, 51);
      const spread: string[] = [];
      for await (const part of client.makeServerStreamRequest<Buffer, Buffer>(
        "/test.Bytes/Spread",
        same,
        same,
        Buffer.from("n"),
      ))
        spread.push(String(part));
      assert.deepEqual([spread.length, spread[0], spread[99]], [100, "n0", "n99"]);
      const chat = client.makeBidiStreamRequest<Buffer, Buffer>("/test.Bytes/Chat", same, same);
      const heard: string[] = [];
      for (const word of ["one", "two", "three"]) {
        chat.write(Buffer.from(word));
        heard.push(String(await new Promise((resolve) => chat.once("data", resolve))));
      }
      chat.end();
      assert.deepEqual(heard, ["one", "two", "three"]);
    });

    it("hears the service's error status, and its own deadline", async () => {
      await assert.rejects(
        unary("Fail", Buffer.from("x")),
        (error: ServiceError) => error.code === grpcStatus.FAILED_PRECONDITION && error.details === "not today",
      );
      await assert.rejects(unary("Hang", Buffer.from("x"), 100), failsWith(grpcStatus.DEADLINE_EXCEEDED));
      await assert.rejects(unary("Missing", Buffer.from("x")), failsWith(grpcStatus.UNIMPLEMENTED));
    });

    it("cancels, and the service is told", async () => {
      const before = Number(await unary("Cancelled", Buffer.from("x")));
      const call = client.makeUnaryRequest("/test.Bytes/Hang", same, same, Buffer.from("x"), () => undefined);
      // The call is at the service once a later one on the same connection was answered.
      await unary("Echo", Buffer.from("x"));
      call.cancel();
      await mesh.until("the service heard of it", async () =>
        Number(await unary("Cancelled", Buffer.from("x"))) > before ? true : undefined,
      );
    });
  });

  it("ws sends messages of every size, plain and compressed", async () => {
    for (const mode of ["plain", "deflate"]) {
      assert.match(
        await run(process.execPath, "--eval", webSocketClient, url("chat").replace("http", "ws"), mode),
        /^messages 7 pong true code 4001$/m,
      );
    }
  });

  it("an HTTP/2 client talks WebSocket on two streams of one connection", async () => {
    assert.equal(
      await run(process.execPath, "--eval", webSocketHttp2Client, url("chat", "").replace(/\/$/, "")),
      "messages 7 code 4002 messages 7 code 4002\n",
    );
  });

  it("Chromium loads a page through its proxy, hears events and talks WebSocket", { skip: skip.chromium }, async () => {
    const browser = new Browser();
    const wanted = ["event 1", "event 2", "event 3", "socket echo from the browser"];
    // The browser's own time waits for requests, but not for a WebSocket: on a busy machine the page is over before.
    let page = "";
    await mesh
      .until("the page has heard everything", async () => {
        page = await browser.documentOf("http://live/", `--proxy-server=${httpProxy}`, "--virtual-time-budget=20000");
        return wanted.every((heard) => page.includes(`<li>${heard}</li>`)) ? true : undefined;
      })
      .catch(() => undefined);
    browser.close();
    for (const heard of wanted) assert.ok(page.includes(`<li>${heard}</li>`), `${heard} is in ${page}`);
  });

  describe("nginx", { skip: skip.nginx || skip.curl }, () => {
    it("serves files, ranges and conditional requests", async () => {
      assert.equal((await run("curl", "-sSf", url("files", "/big"))).length, 3_000_000);
      assert.equal((await run("curl", "-sSf", "-r", "0-99", url("files", "/big"))).length, 100);
      assert.equal(await run("curl", "-sSf", "--http2-prior-knowledge", url("files", "/small")), "hello\n");
      assert.equal(
        await run(
          "curl",
          "-sS",
          "-o",
          "/dev/null",
          "-w",
          "%{http_code}",
          "-H",
          "If-None-Match: *",
          url("files", "/small"),
        ),
        "304",
      );
    });

    it("calls a service as an application in front of it", async () => {
      assert.equal(
        (JSON.parse(await run("curl", "-sSf", "-d", "x".repeat(1000), url("edge"))) as EchoAnswer).body.length,
        1000,
      );
    });
  });

  it("nginx passes gRPC calls to a service, and is called over gRPC itself", { skip: skip.nginx }, async () => {
    const client = new Client(`127.0.0.1:${ports["calls"]}`, credentials.createInsecure());
    const same = (bytes: Buffer): Buffer => bytes;
    try {
      const answer = await new Promise<Buffer | undefined>((resolve, reject) => {
        const sent = Buffer.alloc(100_000, 7);
        client.makeUnaryRequest(
          "/test.Bytes/Echo",
          same,
          same,
          sent,
          { deadline: Date.now() + 120_000 },
          (error, got) => (error === null ? resolve(got) : reject(error)),
        );
      });
      assert.equal(answer?.length, 100_000);
      const error = await new Promise<ServiceError | null>((resolve) => {
        client.makeUnaryRequest("/test.Bytes/Fail", same, same, Buffer.from("x"), resolve);
      });
      assert.equal(error?.code, grpcStatus.FAILED_PRECONDITION);
    } finally {
      client.close();
    }
  });

  describe("HAProxy", { skip: skip.haproxy || skip.curl }, () => {
    it("answers", async () => {
      assert.equal(await run("curl", "-sSf", url("answer")), "haproxy");
    });

    it("calls a service as an application in front of it", async () => {
      assert.equal(
        (JSON.parse(await run("curl", "-sSf", "-d", "x".repeat(1000), url("front"))) as EchoAnswer).body.length,
        1000,
      );
    });

    it("calls a service over HTTP/2", async () => {
      assert.equal(
        (JSON.parse(await run("curl", "-sSf", "-d", "x".repeat(1000), url("front2"))) as EchoAnswer).body.length,
        1000,
      );
    });
  });

  describe("nghttp2", { skip: skip.h2load || skip.nghttpd }, () => {
    it("h2load gets every answer from nghttpd", async () => {
      const report = await run("h2load", "-n", "500", "-c", "4", "-m", "8", url("h2files"));
      assert.match(report, /500 total, 500 started, 500 done, 500 succeeded, 0 failed, 0 errored/);
    });

    it("h2load gets every answer from an HTTP/1.1 service", async () => {
      assert.match(
        await run("h2load", "-n", "500", "-c", "4", "-m", "8", url("echo")),
        /500 succeeded, 0 failed, 0 errored/,
      );
      assert.match(
        await run("h2load", "--h1", "-n", "500", "-c", "4", url("echo")),
        /500 succeeded, 0 failed, 0 errored/,
      );
    });
  });

  it("Redis answers one by one, pipelined, and with large values", { skip: skip.redis }, async () => {
    const redis = (...args: string[]): Promise<string> =>
      run("redis-cli", "-h", "127.0.0.1", "-p", String(ports["redis"]), ...args);
    assert.equal(await redis("set", "key", "v".repeat(100_000)), "OK\n");
    assert.equal((await redis("get", "key")).length, 100_001);
    const commands = join(folder, "commands");
    writeFileSync(commands, Array.from({ length: 20_000 }, (_, at) => `SET k${at} ${at}\r\n`).join(""));
    assert.match(
      await run("sh", "-c", `redis-cli -h 127.0.0.1 -p ${ports["redis"]} --pipe < ${commands}`),
      /errors: 0, replies: 20000/,
    );
    assert.equal(await redis("get", "k19999"), "19999\n");
  });

  it("PostgreSQL, whose client speaks first, runs queries and copies rows", { skip: skip.postgres }, async () => {
    const psql = (sql: string): Promise<string> =>
      run("psql", "-h", "127.0.0.1", "-p", String(ports["postgres"]), "-U", "postgres", "-tA", "-c", sql);
    assert.equal(await psql("select 6 * 7"), "42\n");
    assert.equal((await psql("select repeat('r', 1000) from generate_series(1, 2000)")).length, 2000 * 1001);
    assert.equal((await psql("copy (select generate_series(1, 50000)) to stdout")).split("\n").length, 50_001);
  });

  it("PostgreSQL's pgbench runs its transactions on eight connections", { skip: skip.postgres }, async () => {
    const bench = (...args: string[]): Promise<string> =>
      run(
        "sh",
        "-c",
        '$(ls -d /usr/lib/postgresql/*/bin | tail -1)/pgbench "$@" 2>&1',
        "pgbench",
        "-h",
        "127.0.0.1",
        "-p",
        String(ports["postgres"]),
        "-U",
        "postgres",
        ...args,
      );
    await bench("-i", "-q", "postgres");
    const report = await bench("-c", "8", "-t", "50", "-n", "postgres");
    assert.match(report, /transactions actually processed: 400\/400/);
  });
});
