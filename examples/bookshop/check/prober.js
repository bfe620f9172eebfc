// A client inside the mesh that the check steers over stdin and stdout, one JSON message a line. It is started by
// `ripstop run` like any other program, and uses the shop's own clients.
import { createInterface } from "node:readline";
import { askStock, followOrder, get, getReview, placeOrder, sayInChat } from "../clients.js";

const loads = new Map();

/** Calls `one` n times, `concurrency` at a time; counts by status and by the catalog's version. */
async function many({ n, concurrency = 16 }, one) {
  const result = { statuses: {}, versions: {}, errors: [] };
  let left = n;
  const worker = async () => {
    while (left-- > 0) {
      try {
        const { status, body } = await one();
        result.statuses[status] = (result.statuses[status] ?? 0) + 1;
        const { version } = status === 200 ? JSON.parse(body) : {};
        if (version) result.versions[version] = (result.versions[version] ?? 0) + 1;
        if (status !== 200 && result.errors.length < 3) result.errors.push(`${status} ${body.slice(0, 300)}`);
      } catch (error) {
        result.statuses.failed = (result.statuses.failed ?? 0) + 1;
        if (result.errors.length < 3) result.errors.push(error.message);
      }
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return result;
}

const actions = {
  get: ({ url, method, headers, body }) => get(url, { method, headers, body }),
  many: (message) => many(message, () => get(message.url)),
  reviews: (message) => many(message, () => getReview("/reviews/all")),
  order: () => placeOrder("0-13-110362-8"),
  follow: (message) => followOrder(message),
  stock: () => askStock("0-13-110362-8"),
  chat: ({ text }) => sayInChat(text),
  startLoad({ name, url, perSecond }) {
    const load = { requests: 0, ok: 0, failed: 0, errors: [], open: new Set() };
    const shoot = () => {
      load.requests++;
      const fail = (text) => {
        load.failed++;
        if (load.errors.length < 3) load.errors.push(text);
      };
      const shot = get(url).then(
        ({ status, body }) => (status === 200 ? load.ok++ : fail(`${status} ${body.slice(0, 300)}`)),
        (error) => fail(error.message),
      );
      load.open.add(shot);
      void shot.then(() => load.open.delete(shot));
    };
    load.timer = setInterval(shoot, 1000 / perSecond);
    loads.set(name, load);
    return {};
  },
  async stopLoad({ name }) {
    const load = loads.get(name);
    clearInterval(load.timer);
    await Promise.all(load.open);
    const { requests, ok, failed, errors } = load;
    return { requests, ok, failed, errors };
  },
};

const input = createInterface({ input: process.stdin });
input.on("line", async (line) => {
  const message = JSON.parse(line);
  const answer = await Promise.resolve()
    .then(() => actions[message.do](message))
    .then(
      (value) => ({ value }),
      (error) => ({ error: error.message }),
    );
  process.stdout.write(`${JSON.stringify({ id: message.id, ...answer })}\n`);
});
input.on("close", () => process.exit(0));
process.stdout.write(`${JSON.stringify({ id: 0, value: "ready" })}\n`);
