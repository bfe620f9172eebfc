// The shop's front page: HTTP/1.1. Asks catalog, reviews, orders, stock and chat, each in its own protocol.
import { createServer } from "node:http";
import { askStock, followOrder, get, getReview, placeOrder, sayInChat } from "./clients.js";

/** A part that fails does not take the page down. */
const attempt = (promise) =>
  promise.then(
    (value) => ({ value }),
    (error) => ({ error: error.message }),
  );
const escape = (text) => String(text).replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

async function gather(headers) {
  const trace = headers.traceparent ? { traceparent: headers.traceparent } : {};
  const catalog = await attempt(
    get("http://catalog/books", { headers: trace }).then(({ status, body }) => {
      if (status !== 200) throw new Error(`catalog answered ${status}`);
      return JSON.parse(body);
    }),
  );
  const isbn = catalog.value?.books[0].isbn ?? "0-13-110362-8";
  const [review, stock, order, chat] = await Promise.all([
    attempt(
      getReview(`/reviews/${isbn}`).then(({ status, body }) => {
        if (status !== 200) throw new Error(`reviews answered ${status}`);
        return JSON.parse(body);
      }),
    ),
    attempt(askStock(isbn)),
    attempt(placeOrder(isbn).then(async (receipt) => ({ ...receipt, steps: await followOrder(receipt) }))),
    attempt(sayInChat("Do you gift-wrap?")),
  ]);
  return { catalog, review, stock, order, chat };
}

function page({ catalog, review, stock, order, chat }) {
  const part = (title, protocol, { value, error }, render) =>
    `<section><h2>${title} <small>${protocol}</small></h2>${error ? `<p class="bad">${escape(error)}</p>` : render(value)}</section>`;
  return `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>The Bookshop</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
  header { border-bottom: 3px solid #c2410c; margin-bottom: 1rem; }
  section { border: 1px solid #8884; border-radius: 8px; padding: .5rem 1rem; margin: .75rem 0; }
  h2 { font-size: 1rem; margin: .25rem 0; } small { font-weight: normal; opacity: .7; }
  .bad { color: #dc2626; } ul { margin: .25rem 0; padding-left: 1.2rem; }
</style>
<header><h1>The Bookshop</h1><p>Every part of this page came through the mesh, over mutual TLS. Reload: one page in ten comes from catalog v2, with ratings.</p></header>
${part("Catalog", "HTTP/1.1, JSON", catalog, ({ version, books }) => `<p>from catalog ${escape(version)}</p><ul>${books.map(({ title, author, rating }) => `<li>${escape(title)}, ${escape(author)}${rating ? ` ★ ${rating}` : ""}</li>`).join("")}</ul>`)}
${part("Review", "HTTP/2", review, ({ stars, text }) => `<p>${"★".repeat(stars)} ${escape(text)}</p>`)}
${part("Stock", "TCP, the server speaks first", stock, ({ copies }) => `<p>${copies} copies on the shelf</p>`)}
${part("Order", "gRPC, unary and streaming", order, ({ number, steps }) => `<p>${escape(number)}: ${steps.map(escape).join(" → ")}</p>`)}
${part("Chat", "WebSocket", chat, ({ welcome, echo }) => `<p>${escape(welcome)} ${escape(echo)}</p>`)}
</html>`;
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://web");
  if (pathname !== "/" && pathname !== "/api/home") return response.writeHead(404).end("not found\n");
  const parts = await gather(request.headers);
  const [type, body] = pathname === "/" ? ["text/html", page(parts)] : ["application/json", JSON.stringify(parts)];
  return response.writeHead(200, { "content-type": `${type}; charset=utf-8` }).end(body);
});

server.listen(Number(process.env.PORT), () => console.log(`web listens on http://127.0.0.1:${process.env.PORT}/`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
