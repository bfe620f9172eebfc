// The thief: tries what it may not, and logs what it got.
import { askStock, get, getReview, placeOrder } from "./clients.js";

const attempts = [
  ["read the catalog", () => get("http://catalog/books").then(({ status, body }) => `${status} ${body.trim()}`)],
  ["read reviews", () => getReview("/reviews/all").then(({ status, body }) => `${status} ${body.trim()}`)],
  ["order for nothing", () => placeOrder("0-13-110362-8").then(({ number }) => `200 order ${number}`)],
  ["ask for the stock", () => askStock("0-13-110362-8").then(({ copies }) => `${copies} copies`)],
];

async function steal() {
  for (const [what, attempt] of attempts) {
    const got = await attempt().catch((error) => `refused: ${error.message}`);
    console.log(`tried to ${what}: ${got}`);
  }
  setTimeout(steal, 2000);
}

void steal();
process.on("SIGTERM", () => process.exit(0));
