import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { err, ok, type Result } from "@ripstop/core";
import type { SvidRequest, SvidResponse } from "@ripstop/model";
import { StoppedClock } from "@ripstop/testkit";
import { ControlApi, type ApiFailure } from "./control-api.ts";
import { SvidKeeper, svidNotAfterMs } from "./svid-keeper.ts";

const HOUR_MS = 3_600_000;

class FakeApi extends ControlApi {
  readonly asked: SvidRequest[] = [];
  away = false;
  readonly #clock: StoppedClock;

  constructor(clock: StoppedClock) {
    super("/nowhere");
    this.#clock = clock;
  }

  override renew(_workloadId: string, body: SvidRequest): Promise<Result<SvidResponse, ApiFailure>> {
    this.asked.push(body);
    if (this.away)
      return Promise.resolve(err({ status: 0, error: { code: "RS4001", title: "", message: "away", remedy: "" } }));
    return Promise.resolve(ok({ svidChainPem: "NEW", bundlePem: "BUNDLE", notAfterMs: this.#clock.nowMs() + HOUR_MS }));
  }
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("SvidKeeper", () => {
  let clock: StoppedClock;
  let api: FakeApi;
  let keeper: SvidKeeper;
  let keys: number;
  let renewed: string[];
  let failures: number;

  beforeEach(() => {
    clock = new StoppedClock();
    api = new FakeApi(clock);
    keys = 0;
    renewed = [];
    failures = 0;
    keeper = new SvidKeeper(
      {
        api,
        clock,
        createKeyAndCsr: () => {
          keys++;
          return Promise.resolve({ keyPem: `KEY ${keys}`, csrPem: `CSR ${keys}` });
        },
      },
      { workloadId: "shop/web-1", spiffeId: "spiffe://mesh.local/ns/shop/sa/web" },
      {
        onRenewed: (keyPem, answer) => void renewed.push(`${keyPem} ${answer.svidChainPem}`),
        onFailing: () => void failures++,
      },
    );
    keeper.schedule(clock.nowMs() + HOUR_MS);
  });
  afterEach(() => keeper.close());

  it("renews at half life, give or take a tenth, with a fresh key each time", async () => {
    clock.advance(HOUR_MS * 0.44);
    await settle();
    assert.equal(api.asked.length, 0);
    clock.advance(HOUR_MS * 0.12);
    await settle();
    assert.deepEqual(renewed, ["KEY 1 NEW"]);
    clock.advance(HOUR_MS * 0.56);
    await settle();
    assert.deepEqual(renewed, ["KEY 1 NEW", "KEY 2 NEW"]);
  });

  it("tries again with backoff while the control plane is away, says so once, and recovers", async () => {
    api.away = true;
    clock.advance(HOUR_MS * 0.56);
    await settle();
    for (let round = 0; round < 5; round++) {
      clock.advance(60_000);
      await settle();
    }
    assert.equal(failures, 1);
    assert.ok(api.asked.length >= 5, `asked ${api.asked.length} times`);
    api.away = false;
    clock.advance(60_000);
    await settle();
    assert.equal(renewed.length, 1);
  });

  it("renews at once when another root signs, once at a time, and at half of the new life after that", async () => {
    keeper.renewNow();
    keeper.renewNow();
    await settle();
    assert.deepEqual(renewed, ["KEY 1 NEW"]);
    clock.advance(HOUR_MS * 0.44);
    await settle();
    assert.equal(renewed.length, 1, "the old date is forgotten");
    clock.advance(HOUR_MS * 0.12);
    await settle();
    assert.equal(renewed.length, 2);
  });

  it("asks no more after it was closed", async () => {
    keeper.close();
    clock.advance(HOUR_MS);
    await settle();
    assert.equal(api.asked.length, 0);
  });
});

describe("svidNotAfterMs", () => {
  it("gives undefined for what is no certificate", () => {
    assert.equal(svidNotAfterMs("CHAIN"), undefined);
  });
});
