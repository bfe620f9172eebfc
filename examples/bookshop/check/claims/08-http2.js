// HTTP/2; one of two instances fails every third request, and retries and ejection hide most of it.
import { connect } from "node:http2";
import { ensure } from "../mesh.js";

export const title = "HTTP/2 with retries";

/** Asks the program itself, beside the mesh, how many requests it failed. */
function stats(address) {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}`);
    session.on("error", reject);
    const stream = session.request({ ":path": "/stats" });
    let text = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk) => (text += chunk));
    stream.on("error", reject);
    stream.on("end", () => {
      session.close();
      resolve(JSON.parse(text));
    });
    stream.end();
  });
}

export async function run({ mesh, shopper }) {
  const { applicationAddress } = await mesh.workload("reviews", "v1-flaky");
  const before = await stats(applicationAddress);
  const { statuses, errors } = await shopper.call("reviews", { n: 400, concurrency: 4 });
  const after = await stats(applicationAddress);
  const made = after.failed - before.failed;
  const seen = 400 - (statuses[200] ?? 0);
  ensure(made > 0, "the program made no failure, so nothing was shown");
  ensure(seen < made, `the shopper saw ${seen} of ${made} failures: ${errors.join("; ")}`);
  return `the program failed ${made} requests, the shopper saw ${seen} failures of 400`;
}
