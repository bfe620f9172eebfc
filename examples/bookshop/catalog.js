// The catalog: HTTP/1.1 and JSON. Version 2 (VERSION=v2) knows ratings.
import { createServer } from "node:http";

const version = process.env.VERSION ?? "v1";
const books = [
  { isbn: "0-201-03801-3", title: "The Art of Computer Programming", author: "Donald Knuth", rating: 4.9 },
  { isbn: "0-262-51087-1", title: "Structure and Interpretation", author: "Abelson and Sussman", rating: 4.8 },
  { isbn: "0-13-110362-8", title: "The C Programming Language", author: "Kernighan and Ritchie", rating: 4.7 },
  { isbn: "0-13-142901-9", title: "Advanced UNIX Programming", author: "Marc Rochkind", rating: 4.4 },
];

const server = createServer((request, response) => {
  const answer = (status, body) => {
    response.writeHead(status, { "content-type": "application/json", "x-catalog-version": version });
    response.end(JSON.stringify(body));
  };
  const { pathname } = new URL(request.url, "http://catalog");
  if (pathname === "/books") {
    return answer(200, { version, books: version === "v1" ? books.map(({ rating, ...book }) => book) : books });
  }
  if (pathname === "/headers") return answer(200, { version, headers: request.headers });
  if (pathname === "/upload") {
    let bytes = 0;
    request.on("data", (chunk) => (bytes += chunk.length));
    return request.on("end", () => answer(200, { version, bytes }));
  }
  const book = books.find(({ isbn }) => pathname === `/books/${isbn}`);
  return book ? answer(200, { version, ...book }) : answer(404, { error: "no such book" });
});

server.listen(Number(process.env.PORT), () => console.log(`catalog ${version} listens on ${process.env.PORT}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)));
