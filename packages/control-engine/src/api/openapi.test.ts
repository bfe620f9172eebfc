// The API's description is valid, and has every route that there is, and no other.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { Validator } from "@seriousme/openapi-schema-validator";

import { allKinds } from "../all-kinds.ts";
import { TestControl } from "../control.fixture.ts";
import { openApiDocument } from "./openapi.ts";
import { operations } from "./operations.ts";

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly operationId: string }>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

describe("the description of the API", () => {
  let mesh: TestControl;
  before(async () => {
    mesh = await TestControl.start();
  });
  after(() => mesh.close());

  it("is valid OpenAPI 3.1, as the control plane serves it", async () => {
    const document = (await mesh.send("GET", "/v1/openapi.json")).json<Document>();
    const result = await new Validator().validate(JSON.parse(JSON.stringify(document)));
    assert.equal(result.valid, true, JSON.stringify(result, undefined, 1).slice(0, 2_000));
    assert.equal(document.openapi, "3.1.0");
    assert.ok(document.components.schemas["HTTPRoute"]);
    const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/([A-Za-z]+)"/g);
    for (const [, name = ""] of references) assert.ok(document.components.schemas[name], `there is no schema ${name}`);
  });

  it("has every route of the control plane, and no other", () => {
    const routes = mesh.control.routes.map(({ method, path }) => `${method} ${path}`);
    assert.ok(routes.length > 40);
    assert.deepEqual([...operations.keys()].sort(), routes.toSorted());
    const { paths } = openApiDocument(allKinds, "1") as unknown as Document;
    const described = Object.values(paths).flatMap((path) => Object.values(path));
    assert.equal(described.length, routes.length);
    assert.equal(new Set(described.map(({ operationId }) => operationId)).size, routes.length);
  });
});
