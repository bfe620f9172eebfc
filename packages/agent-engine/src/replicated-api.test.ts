// Which control plane is asked.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { err, ok, type Result } from "@ripstop/core";
import { StoppedClock } from "@ripstop/testkit";

import { ControlApi, type ApiFailure } from "./control-api.ts";
import { ReplicatedApi } from "./replicated-api.ts";

class FakeApi extends ControlApi {
  failure: ApiFailure | undefined;
  readonly name: string;
  readonly #asked: string[];

  constructor(name: string, asked: string[]) {
    super("");
    this.name = name;
    this.#asked = asked;
  }

  override async call<Answer>(): Promise<Result<Answer, ApiFailure>> {
    this.#asked.push(this.name);
    return this.failure === undefined ? ok({} as Answer) : err(this.failure);
  }
}

const failure = (status: number, code: `RS${number}`): ApiFailure => ({
  status,
  error: { code, title: "", message: code, remedy: "" },
});

describe("ReplicatedApi", () => {
  let asked: string[];
  let apis: Map<string, FakeApi>;
  let api: ReplicatedApi;

  beforeEach(() => {
    asked = [];
    apis = new Map();
    const make = (name: string): FakeApi => {
      const made = new FakeApi(name, asked);
      apis.set(name, made);
      return made;
    };
    const peer = ({ host, port }: { readonly host: string; readonly port: number }): FakeApi => make(`${host}:${port}`);
    api = new ReplicatedApi({ first: make("first"), clock: new StoppedClock(), peer });
    api.setReplicas(["b:1", "c:1"]);
  });

  const fail = (name: string, how: ApiFailure | undefined): void => {
    const one = apis.get(name);
    assert.ok(one);
    one.failure = how;
  };

  it("asks the first one as long as it answers", async () => {
    await api.info();
    await api.info();
    assert.deepEqual(asked, ["first", "first"]);
  });

  it("goes on to another one when it is gone or cut off, and stays there", async () => {
    fail("first", failure(0, "RS4002"));
    fail("b:1", failure(503, "RS3090"));
    assert.ok((await api.report("shop/web", { inboundAddress: "", ready: true })).ok);
    await api.info();
    assert.deepEqual(asked, ["first", "b:1", "c:1", "c:1"]);
    fail("c:1", failure(0, "RS4002"));
    fail("first", undefined);
    await api.info();
    assert.deepEqual(asked.slice(4), ["c:1", "first"]);
  });

  it("takes a refusal for an answer", async () => {
    fail("first", failure(404, "RS3015"));
    const answer = await api.report("shop/web", { inboundAddress: "", ready: true });
    assert.ok(!answer.ok && answer.error.status === 404);
    assert.deepEqual(asked, ["first"]);
  });

  it("fails as the first one said when none can answer, and tries all anew", async () => {
    for (const [name, code] of [
      ["first", "RS4001"],
      ["b:1", "RS4002"],
      ["c:1", "RS4003"],
    ] as const)
      fail(name, failure(0, code));
    for (let round = 1; round <= 2; round++) {
      const answer = await api.info();
      assert.ok(!answer.ok && answer.error.error.code === "RS4001");
      assert.equal(asked.length, 3 * round);
    }
  });

  it("follows the list of control planes", async () => {
    api.setReplicas(["d:1"]);
    fail("first", failure(0, "RS4002"));
    await api.info();
    assert.deepEqual(asked, ["first", "d:1"]);
  });
});
