// 90/10 becomes 50/50 under traffic, and no request fails.
import { join } from "node:path";
import { ensure, shopDirectory } from "../mesh.js";

export const title = "apply --wait moves traffic without a failed request";

export async function run({ mesh, shopper }) {
  await shopper.call("startLoad", { name: "shift", url: "http://catalog/books", perSecond: 200 });
  const applied = await mesh.cli("apply", "--wait", "--timeout", "2m", join(shopDirectory, "half.yaml"));
  const { statuses, versions, errors } = await shopper.call("many", { url: "http://catalog/books", n: 2000 });
  const load = await shopper.call("stopLoad", { name: "shift" });
  ensure(applied.code === 0, `apply ended with ${applied.code}: ${applied.stdout}${applied.stderr}`);
  const live = /live on ([0-9]+) of \1 proxies after [0-9]+ ms/.exec(applied.stdout)?.[0];
  ensure(live !== undefined, `apply said: ${applied.stdout}`);
  ensure(load.failed === 0, `${load.failed} of ${load.requests} failed: ${load.errors.join("; ")}`);
  ensure(statuses[200] === 2000, `not all succeeded: ${JSON.stringify(statuses)} ${errors.join("; ")}`);
  const share = (100 * (versions.v2 ?? 0)) / 2000;
  ensure(Math.abs(share - 50) <= 5, `v2 got ${share.toFixed(1)} %`);
  return `${live}; then ${share.toFixed(1)} % to v2; ${load.requests + 2000} requests, 0 failed`;
}
