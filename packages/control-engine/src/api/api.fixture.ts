// Callers of the API over TLS; for tests.

import { request as httpsRequest } from "node:https";
import type { IncomingMessage } from "node:http";

import type { AccessTokenRequest, CreatedAccessTokenView, WatchLine } from "@ripstop/model";

import { readAnswer, sendBody, type Answer, type TestControl } from "../control.fixture.ts";

/** Somebody with a token, or without. */
export class RemoteCaller {
  readonly #port: number;
  readonly #token: string | undefined;

  constructor(mesh: TestControl, token: string | undefined) {
    this.#port = Number(mesh.control.apiAddress?.split(":").at(-1));
    this.#token = token;
  }

  /** Makes a token over the socket. */
  static async make(mesh: TestControl, request: Partial<AccessTokenRequest> = {}): Promise<RemoteCaller> {
    return new RemoteCaller(mesh, (await createToken(mesh, request)).token);
  }

  send(method: string, path: string, body?: unknown): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#open(method, path, body, reject, (response) => resolve(readAnswer(response)));
    });
  }

  apply(text: string, more: object = {}): Promise<Answer> {
    return this.send("POST", "/v1/apply", { documents: [{ file: "test.yaml", text }], ...more });
  }

  /** Opens a watch. */
  watch(query: string): Promise<Watch> {
    return new Promise((resolve, reject) => {
      this.#open("GET", `/v1/resources?watch=true&${query}`, undefined, reject, (response) => {
        resolve(new Watch(response));
      });
    });
  }

  #open(
    method: string,
    path: string,
    body: unknown,
    reject: (error: Error) => void,
    answered: (response: IncomingMessage) => void,
  ): void {
    const request = httpsRequest(
      {
        host: "127.0.0.1",
        port: this.#port,
        method,
        path,
        agent: false,
        // The certificate has a test of its own.
        rejectUnauthorized: false,
        headers: this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` },
      },
      answered,
    );
    sendBody(request, body, reject);
  }
}

/** The lines of an open watch. */
export class Watch {
  readonly status: number;
  readonly #response: IncomingMessage;
  readonly #lines: WatchLine[] = [];
  #waiting: (() => void) | undefined;
  #ended = false;
  #rest = "";

  constructor(response: IncomingMessage) {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    response.setEncoding("utf8");
    response.on("data", (text: string) => {
      const parts = (this.#rest + text).split("\n");
      this.#rest = parts.pop() ?? "";
      for (const part of parts) this.#lines.push(JSON.parse(part) as WatchLine);
      this.#waiting?.();
    });
    const end = (): void => {
      this.#ended = true;
      this.#waiting?.();
    };
    response.on("end", end);
    response.on("error", end);
  }

  /** The next line; undefined at the end. */
  async next(): Promise<WatchLine | undefined> {
    while (this.#lines.length === 0 && !this.#ended) {
      // oxlint-disable-next-line no-await-in-loop -- until there is one
      await new Promise<void>((resolve) => (this.#waiting = resolve));
    }
    return this.#lines.shift();
  }

  /** "ADDED shop/web" of the next line. */
  async nextText(): Promise<string> {
    const line = await this.next();
    const { namespace = "", name = "" } = (line?.resource as { metadata?: Record<string, string> })?.metadata ?? {};
    return line === undefined ? "end" : `${line.type} ${namespace}/${name}`;
  }

  close(): void {
    this.#response.destroy();
  }
}

/** Makes a token over the socket: an admin's for an hour, unless the request says otherwise. */
export async function createToken(
  mesh: TestControl,
  request: Partial<AccessTokenRequest> = {},
): Promise<CreatedAccessTokenView> {
  const answer = await mesh.send("POST", "/v1/access/tokens", {
    name: "test",
    role: "admin",
    ttlMs: 3_600_000,
    ...request,
  });
  if (answer.status !== 200) throw new Error(answer.text);
  return answer.json();
}

/** A Service that can be applied. */
export function serviceText(namespace: string, name: string, more: string = ""): string {
  return `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: ${namespace}, labels: {app: ${name}}}\nspec:\n  ports: [{port: 80}]\n${more}---\n`;
}
