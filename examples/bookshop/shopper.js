// The shopper: steady traffic, and one line that tells how it goes. PER_SECOND sets the pace.
import { get, getReview } from "./clients.js";

const perSecond = Number(process.env.PER_SECOND ?? 20);
const counts = { requests: 0, failed: 0, v1: 0, v2: 0, reviews: 0 };
let lastError = "";

async function buy(number) {
  counts.requests++;
  try {
    if (number % 20 === 0) {
      if ((await get("http://web/api/home")).status !== 200) throw new Error("the page failed");
    } else if (number % 4 === 0) {
      counts.reviews++;
      const { status } = await getReview("/reviews/0-13-110362-8");
      if (status !== 200) throw new Error(`reviews answered ${status}`);
    } else {
      const { status, body } = await get("http://catalog/books");
      if (status !== 200) throw new Error(`catalog answered ${status}: ${body.slice(0, 200)}`);
      counts[JSON.parse(body).version]++;
    }
  } catch (error) {
    counts.failed++;
    lastError = error.message;
  }
}

let number = 0;
setInterval(() => void buy(++number), 1000 / perSecond);
setInterval(() => {
  const share = Math.round((100 * counts.v2) / Math.max(1, counts.v1 + counts.v2));
  const text = `${counts.requests} requests, ${counts.failed} failed, catalog v1 ${100 - share} % / v2 ${share} %`;
  console.log(lastError ? `${text}, last failure: ${lastError}` : text);
}, 1000);
process.on("SIGTERM", () => process.exit(0));
