// Independent SPIFFE clients for tests: py-spiffe unchanged, and a client made from nothing but the published proto.

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { credentials, loadPackageDefinition, Metadata, type Client, type ServiceError } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { root } from "./mesh.ts";

const folder = join(root, "node_modules/.ripstop-py-spiffe");

/** The Python that has py-spiffe. */
export const pythonOfSpiffe: string = join(folder, "bin/python");

/** Installs py-spiffe from PyPI unless it is there; the reason to skip when that is not possible, or false. */
export function needsPySpiffe(): string | false {
  if (existsSync(join(folder, "installed"))) return false;
  const requirements = join(root, "test/peers/py-spiffe/requirements.txt");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const steps: readonly (readonly [string, ...string[]])[] = [
    ["python3", "-m", "venv", folder],
    [
      pythonOfSpiffe,
      "-m",
      "pip",
      "install",
      "--quiet",
      "--retries",
      "1",
      "--timeout",
      "15",
      "--only-binary=:all:",
      "--requirement",
      requirements,
    ],
    ["touch", join(folder, "installed")],
  ];
  for (const [command, ...args] of steps) {
    if (spawnSync(command, args, { stdio: "ignore", timeout: 60_000 }).status === 0) continue;
    rmSync(folder, { recursive: true, force: true });
    return `needs py-spiffe: ${command} ${args.join(" ")} failed; install python3 (>= 3.10) with venv, and reach PyPI`;
  }
  return false;
}

/** An X.509-SVID as the proto has it. */
export interface X509SvidMessage {
  readonly spiffeId: string;
  readonly x509Svid: Buffer;
  readonly x509SvidKey: Buffer;
  readonly bundle: Buffer;
}

/** The first answer of FetchX509SVID. */
export interface X509SvidResponseMessage {
  readonly svids: readonly X509SvidMessage[];
  readonly federatedBundles: Readonly<Record<string, Buffer>>;
}

/** A stream that was opened. */
export interface OpenStream<T> {
  /** The next message; rejects with the status that ended the stream. */
  next(): Promise<T>;
  cancel(): void;
}

type StreamMethod = (request: object, metadata: Metadata) => NodeJS.EventEmitter & { cancel(): void };
type UnaryMethod = (
  request: object,
  metadata: Metadata,
  done: (error: ServiceError | null, answer: unknown) => void,
) => void;

/** A client of the Workload API that knows nothing of Ripstop: its messages come from the published proto at run time. */
export class ProtoClient {
  readonly #client: Client;

  /** `address` is what SPIFFE_ENDPOINT_SOCKET says. */
  constructor(address: string) {
    const definition = loadSync(join(root, "proto/spiffe/workload/workload.proto"), { defaults: true });
    const { SpiffeWorkloadAPI: service } = loadPackageDefinition(definition);
    if (typeof service !== "function") throw new Error("the proto has no service SpiffeWorkloadAPI");
    this.#client = new service(address, credentials.createInsecure());
  }

  /** Opens a stream. */
  stream<T>(method: string, metadata: Metadata = spiffeMetadata()): OpenStream<T> {
    const open: unknown = Reflect.get(this.#client, method);
    const call = (open as StreamMethod).call(this.#client, {}, metadata);
    const messages: T[] = [];
    let failed: Error | undefined;
    let wake: () => void = () => undefined;
    call.on("data", (message: T) => {
      messages.push(message);
      wake();
    });
    call.on("error", (error: Error) => {
      failed = error;
      wake();
    });
    return {
      async next() {
        for (;;) {
          const message = messages.shift();
          if (message !== undefined) return message;
          if (failed !== undefined) throw failed;
          await new Promise<void>((resolve) => (wake = resolve));
        }
      },
      cancel: () => call.cancel(),
    };
  }

  /** Makes one call. */
  call<T>(method: string, request: object, metadata: Metadata = spiffeMetadata()): Promise<T> {
    const make: unknown = Reflect.get(this.#client, method);
    return new Promise((resolve, reject) => {
      (make as UnaryMethod).call(this.#client, request, metadata, (error, answer) => {
        if (error) reject(error);
        else resolve(answer as T);
      });
    });
  }

  close(): void {
    this.#client.close();
  }
}

/** The metadata that the standard wants. */
export function spiffeMetadata(): Metadata {
  const metadata = new Metadata();
  metadata.set("workload.spiffe.io", "true");
  return metadata;
}
