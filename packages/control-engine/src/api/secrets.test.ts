// The data of a Secret leaves the control plane by no answer, and comes back with a rollback.

import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";

import { TestControl } from "../control.fixture.ts";

const SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: a, namespace: shop}\nstringData: {password: hunter2}\n";

describe("a Secret in the API", () => {
  let mesh: TestControl;

  beforeEach(async () => {
    mesh = await TestControl.start();
  });
  afterEach(() => mesh.close());

  it("is hidden in lists, single answers, history and differences", async () => {
    await mesh.apply(SECRET);
    await mesh.apply(SECRET.replace("hunter2", "hunter3"));
    const difference = { documents: [{ file: "a", text: SECRET.replace("hunter2", "hunter4") }] };
    const answers = [
      await mesh.send("GET", "/v1/resources"),
      await mesh.send("GET", "/v1/resources?kind=secrets"),
      await mesh.send("GET", "/v1/resources/secret/shop/a"),
      await mesh.send("GET", "/v1/revisions"),
      await mesh.send("GET", "/v1/diff?from=0"),
      await mesh.send("GET", "/v1/diff?from=1&to=2"),
      await mesh.send("POST", "/v1/diff", difference),
    ];
    for (const { status, text } of answers) {
      assert.equal(status, 200, text);
      assert.doesNotMatch(text, /hunter/);
    }
    assert.match(answers[2]?.text ?? "", /"stringData":\{"password":"\(hidden, sha256 [0-9a-f]{12}\)"\}/);
    assert.match(answers[5]?.text ?? "", /configured/);
  });

  it("comes back with its data when it is rolled back to", async () => {
    await mesh.apply(SECRET);
    const before = (await mesh.send("GET", "/v1/resources/secret/shop/a")).json<{ stringData: object }>();
    await mesh.apply(SECRET.replace("hunter2", "hunter3"));
    const rolled = await mesh.send("POST", "/v1/rollback", { to: 1, author: "me", reason: "", dryRun: false });
    assert.equal(rolled.status, 200, rolled.text);
    const after = (await mesh.send("GET", "/v1/resources/secret/shop/a")).json<{ stringData: object }>();
    assert.deepEqual(after.stringData, before.stringData);
  });
});
