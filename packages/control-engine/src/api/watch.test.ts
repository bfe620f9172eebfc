// Lists in pages, and watches: no change is missed or seen twice.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import type { ApiError } from "@ripstop/model";
import type { Resource } from "@ripstop/resources";

import { TestControl } from "../control.fixture.ts";
import { createToken, RemoteCaller, serviceText } from "./api.fixture.ts";

describe("lists and watches", () => {
  let mesh: TestControl;
  let admin: RemoteCaller;
  before(async () => {
    mesh = await TestControl.start({ api: { address: { host: "127.0.0.1", port: 0 } }, keepRevisions: 20 });
    admin = await RemoteCaller.make(mesh);
  });
  after(() => mesh.close());

  it("give every resource on exactly one page, whatever changes between two pages", async () => {
    await mesh.apply([..."acegikmoqs"].map((name) => serviceText("pages", name)).join(""));
    const seen: string[] = [];
    let next: string | undefined = "";
    for (let page = 0; next !== undefined; page++) {
      const query: string = `namespace=pages&limit=3${next === "" ? "" : `&continue=${next}`}`;
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const answer = await admin.send("GET", `/v1/resources?${query}`);
      const body = answer.json<{ resources: Resource[]; continue?: string }>();
      seen.push(...body.resources.map(({ metadata }) => metadata.name));
      next = body.continue;
      // What comes before the place is not seen any more, what goes there moves nothing.
      // oxlint-disable-next-line no-await-in-loop -- between two pages
      if (page === 0) await mesh.apply(serviceText("pages", "b"));
      // oxlint-disable-next-line no-await-in-loop -- between two pages
      if (page === 1) await mesh.send("DELETE", "/v1/resources/service/pages/a");
    }
    assert.deepEqual(seen, [..."acegikmoqs"]);
    assert.equal((await admin.send("GET", "/v1/resources?limit=0")).status, 400);
    assert.equal((await admin.send("GET", "/v1/resources?continue=%21")).status, 400);
  });

  it("select by labels as kubectl does", async () => {
    const labelled = (name: string, labels: string): string =>
      `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: labels, labels: {${labels}}}\nspec:\n  ports: [{port: 80}]\n---\n`;
    await mesh.apply(
      labelled("one", "app: web, tier: front") + labelled("two", "app: web, canary: ''") + labelled("three", "app: db"),
    );
    const names = async (selector: string): Promise<string> => {
      const answer = await admin.send(
        "GET",
        `/v1/resources?namespace=labels&labelSelector=${encodeURIComponent(selector)}`,
      );
      if (answer.status !== 200) return answer.json<ApiError>().error.code;
      return answer
        .json<{ resources: Resource[] }>()
        .resources.map(({ metadata }) => metadata.name)
        .join(" ");
    };
    const cases: [string, string][] = [
      ["app=web", "one two"],
      ["app==web,tier=front", "one"],
      ["app!=web", "three"],
      ["canary", "two"],
      ["!canary", "one three"],
      ["app in (web, db),!tier", "three two"],
      ["tier notin (front)", "three two"],
      ["app=web,,", "one two"],
      ["app=(web", "RS3012"],
    ];
    for (const [selector, expected] of cases) {
      // oxlint-disable-next-line no-await-in-loop -- a table
      assert.equal(await names(selector), expected === "RS3012" ? await names("=") : expected, selector);
    }
    assert.match(await names("="), /^RS30/);
  });

  it("show what there is, then every change, and what does not fit any more as gone", async () => {
    await mesh.apply(serviceText("live", "first"));
    const watch = await admin.watch("namespace=live&kind=service&labelSelector=app");
    assert.equal(await watch.nextText(), "ADDED live/first");
    assert.equal((await watch.next())?.type, "BOOKMARK");
    await mesh.apply(serviceText("live", "second") + serviceText("elsewhere", "other"));
    assert.equal(await watch.nextText(), "ADDED live/second");
    await mesh.apply(serviceText("live", "first").replace("port: 80", "port: 81"));
    assert.equal(await watch.nextText(), "MODIFIED live/first");
    await mesh.apply(serviceText("live", "first").replace(", labels: {app: first}", ""));
    assert.equal(await watch.nextText(), "DELETED live/first");
    await mesh.send("DELETE", "/v1/resources/service/live/second");
    assert.equal(await watch.nextText(), "DELETED live/second");
    watch.close();
  });

  it("go on after a revision without a gap, and say so when it is not kept any more", async () => {
    const applied = await mesh.apply(serviceText("gap", "one"));
    await mesh.apply(serviceText("gap", "two"));
    await mesh.apply(serviceText("gap", "three"));
    const watch = await admin.watch(`namespace=gap&since=${applied.revision}`);
    assert.deepEqual([await watch.nextText(), await watch.nextText()], ["ADDED gap/two", "ADDED gap/three"]);
    watch.close();
    for (let at = 0; at < 25; at++) {
      // oxlint-disable-next-line no-await-in-loop -- revisions in a row
      await mesh.apply(serviceText("gap", `more-${at}`));
    }
    const compacted = await admin.send("GET", `/v1/resources?watch=true&since=${applied.revision}`);
    assert.equal(compacted.status, 410);
    assert.match(compacted.text, /RS3029.*the oldest to watch from is \d+/);
    assert.equal((await admin.send("GET", "/v1/resources?watch=true&since=999999")).status, 400);
  });

  it("show a caller only the namespaces that it may see, and too many watches of one are refused", async () => {
    const made = await createToken(mesh, { role: "viewer", namespaces: ["mine"] });
    const viewer = new RemoteCaller(mesh, made.token);
    const watch = await viewer.watch("kind=service");
    assert.equal((await watch.next())?.type, "BOOKMARK");
    await mesh.apply(serviceText("theirs", "hidden") + serviceText("mine", "shown"));
    assert.equal(await watch.nextText(), "ADDED mine/shown");
    const more = await Promise.all(Array.from({ length: 20 }, () => viewer.watch("kind=service")));
    assert.equal(more.filter(({ status }) => status === 200).length, 19);
    assert.equal(more.filter(({ status }) => status === 429).length, 1);
    for (const one of [watch, ...more]) one.close();
  });
});
