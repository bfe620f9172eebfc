// The HTTPRoute splits 90/10.
import { ensure } from "../mesh.js";

export const title = "catalog splits 90/10";

export async function run({ shopper }) {
  const { statuses, versions, errors } = await shopper.call("many", { url: "http://catalog/books", n: 2000 });
  ensure(statuses[200] === 2000, `not all succeeded: ${JSON.stringify(statuses)} ${errors.join("; ")}`);
  const share = (100 * (versions.v2 ?? 0)) / 2000;
  ensure(Math.abs(share - 10) <= 3, `v2 got ${share.toFixed(1)} %`);
  return `${share.toFixed(1)} % of 2,000 requests went to v2`;
}
