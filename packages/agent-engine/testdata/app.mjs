// An application for tests: listens on PORT, ends on SIGTERM with code 7, writes what happens to it to $EVENTS.
import { appendFileSync } from "node:fs";
import { createServer } from "node:net";

const event = (text) => appendFileSync(process.env.EVENTS, `${text}\n`);
event(`app start ${process.env.HTTP_PROXY} ${process.env.STOCK_SHOP_SERVICE_HOST}:${process.env.STOCK_SHOP_SERVICE_PORT}`);
for (const name of ["SIGTERM", "SIGINT"]) {
  process.on(name, () => {
    event(`app ${name}`);
    if (process.env.STUBBORN !== "1") process.exit(7);
  });
}
createServer((socket) => socket.destroy()).listen(Number(process.env.PORT), "127.0.0.1");
