// Ports for programs that cannot choose one themselves.

import { createServer } from "node:net";

/** From here on, since `ripstop run --port auto` takes those below. */
const FIRST = 20_000;
/** Linux gives outgoing connections ports from 32,768 on. */
const END = 32_000;
/** Test files run side by side, in processes with neighbouring ids: each begins so many ports further. */
const PORTS_A_PROCESS = 64;

let given = process.pid * PORTS_A_PROCESS;

/**
 * A port of `host` that nobody listens on, and that neither this process nor one beside it is given soon: some time may
 * pass until somebody listens on it. Below those that the system gives to outgoing connections.
 */
export async function freePort(host: string = "127.0.0.1"): Promise<number> {
  for (;;) {
    const port = FIRST + (given++ % (END - FIRST));
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, host, () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
