// History, differences and rollback over the real API of a real control plane.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import type { ApiError, ApplyResponse, Diff, HistoryPage } from "@ripstop/model";

import { TestControl } from "../control.fixture.ts";

const service = (name: string, port: number): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "shop" },
    spec: { selector: { app: name }, ports: [{ port }] },
  });

describe("the history", () => {
  let mesh: TestControl;
  const get = async <T>(path: string): Promise<T> => {
    const answer = await mesh.send("GET", path);
    assert.equal(answer.status, 200, answer.text);
    return answer.json<T>();
  };
  const portOf = async (name: string): Promise<number | undefined> => {
    const answer = await mesh.send("GET", `/v1/resources/services/shop/${name}`);
    if (answer.status === 404) return undefined;
    return answer.json<{ spec: { ports: { port: number }[] } }>().spec.ports[0]?.port;
  };

  before(async () => {
    mesh = await TestControl.start({ keepRevisions: 6 });
    const documents = (text: string): { file: string; text: string }[] => [{ file: "a.yaml", text }];
    const apply = (text: string, author: string, reason: string): Promise<unknown> =>
      mesh.send("POST", "/v1/apply", { documents: documents(text), author, reason });
    await apply(service("web", 80), "ann", "first"); // 1
    await apply(service("web", 81), "ann", "move"); // 2
    await apply(`${service("web", 82)}\n---\n${service("stock", 90)}`, "bob", "both"); // 3
    await mesh.send("DELETE", "/v1/resources/Service/shop/stock?author=ann&reason=gone"); // 4
  });
  after(() => mesh.close());

  it("shows who changed what and why, newest first", async () => {
    const page = await get<HistoryPage>("/v1/revisions");
    assert.deepEqual(
      page.revisions.map(({ number, author, reason, changes }) => [
        number,
        author,
        reason,
        changes.map(({ resource, action }) => `${resource} ${action}`).join(),
      ]),
      [
        [4, "ann", "gone", "Service shop/stock deleted"],
        [3, "bob", "both", "Service shop/web configured,Service shop/stock created"],
        [2, "ann", "move", "Service shop/web configured"],
        [1, "ann", "first", "Service shop/web created"],
      ],
    );
    assert.equal(page.next, undefined);
  });

  it("shows one resource's, and goes on page by page", async () => {
    const stock = await get<HistoryPage>("/v1/revisions?kind=svc&namespace=shop&name=stock&limit=1");
    assert.deepEqual(
      stock.revisions.map(({ number, changes }) => [number, changes.length]),
      [[4, 1]],
    );
    assert.equal(stock.next, 4);
    const rest = await get<HistoryPage>("/v1/revisions?kind=svc&namespace=shop&name=stock&before=4");
    assert.deepEqual(
      rest.revisions.map(({ number, changes }) => [number, changes.length]),
      [[3, 1]],
    );
  });

  it("gives the net difference in both directions", async () => {
    const forward = await get<Diff>("/v1/diff?from=1&to=4");
    assert.deepEqual(
      forward.changes.map(({ resource, action }) => `${resource} ${action}`),
      ["Service shop/web configured"],
    );
    const back = await get<Diff>("/v1/diff?from=4&to=3");
    assert.deepEqual(
      back.changes.map(({ resource, action, before: was }) => [resource, action, was]),
      [["Service shop/stock", "created", undefined]],
    );
  });

  it("says what applying files would change, and changes nothing", async () => {
    const answer = await mesh.send("POST", "/v1/diff", { documents: [{ file: "a.yaml", text: service("web", 99) }] });
    const { changes } = answer.json<Diff>();
    assert.equal(changes[0]?.action, "configured");
    assert.match(JSON.stringify(changes[0]?.before), /"port":82/);
    assert.match(JSON.stringify(changes[0]?.after), /"port":99/);
    assert.equal(await portOf("web"), 82);
  });

  it("goes back for one resource or for all, as a new revision, or shows what that would do", async () => {
    const rollback = async (body: unknown): Promise<ApplyResponse> => {
      const answer = await mesh.send("POST", "/v1/rollback", body);
      assert.equal(answer.status, 200, answer.text);
      return answer.json<ApplyResponse>();
    };
    const dry = await rollback({ to: 3, dryRun: true });
    assert.deepEqual(dry, { revision: 0, changes: [{ resource: "Service shop/stock", action: "created" }] });
    assert.equal(await portOf("stock"), undefined);

    const one = await rollback({ to: 1, only: { kind: "service", namespace: "shop", name: "web" }, author: "ann" });
    assert.deepEqual(one, { revision: 5, changes: [{ resource: "Service shop/web", action: "configured" }] });
    assert.equal(await portOf("web"), 80);

    const all = await rollback({ to: 3 });
    assert.equal(all.revision, 6);
    assert.equal(await portOf("web"), 82);
    assert.equal(await portOf("stock"), 90);
    const page = await get<HistoryPage>("/v1/revisions?limit=1");
    assert.equal(page.revisions[0]?.reason, "rollback to revision 3");

    const emptied = await rollback({ to: 0 });
    assert.equal(await portOf("web"), undefined);
    assert.deepEqual(emptied.changes.map(({ action }) => action).join(), "deleted,deleted");
  });

  it("refuses revisions that never were or are not kept, and bad questions", async () => {
    const failure = async (method: string, path: string, body?: unknown): Promise<string> => {
      const answer = await mesh.send(method, path, body);
      return `${answer.status} ${answer.json<ApiError>().error.code} ${answer.json<ApiError>().error.message}`;
    };
    assert.match(await failure("GET", "/v1/diff?from=77"), /^404 RS3060 .*the newest is 7/);
    assert.match(await failure("GET", "/v1/diff?from=0&to=7"), /^404 RS3060 the history begins with revision 1;/);
    assert.match(await failure("POST", "/v1/rollback", { to: 99 }), /^404 RS3060/);
    assert.match(await failure("POST", "/v1/rollback", { to: -1 }), /^400/);
    assert.match(await failure("GET", "/v1/revisions?limit=0"), /^400/);
    assert.match(await failure("GET", "/v1/revisions?kind=srvice"), /^404 RS30\d\d/);
  });
});
