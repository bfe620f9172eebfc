// A header match wins over the weights.
import { ensure } from "../mesh.js";

export const title = "a header chooses the version";

export async function run({ shopper }) {
  for (let round = 0; round < 20; round++) {
    const { status, body } = await shopper.call("get", { url: "http://catalog/books", headers: { "x-catalog": "v2" } });
    ensure(status === 200 && JSON.parse(body).version === "v2", `got ${status} ${body.slice(0, 200)}`);
  }
  return "20 of 20 requests with x-catalog: v2 went to v2";
}
