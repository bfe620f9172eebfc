// Opens many connections, has one request answered on each, says "ready", holds them until stdin ends, and says how many
// the proxy closed meanwhile.

import { connect } from "node:net";
import { Http1Answers } from "./http1-answers.ts";
import { MeshClient, stayAlive, type MeshTarget } from "./mesh-client.ts";
import { programOptions } from "./program.ts";

const { port, count, lanes, target } = programOptions<{
  readonly port: number;
  readonly count: number;
  readonly lanes: number;
  readonly target?: MeshTarget;
}>();
const client = target === undefined ? undefined : new MeshClient(target);
let wanted = count;
let open = 0;
let closed = 0;

function openPlain(): Promise<void> {
  return new Promise((resolve, reject) => {
    const answers = new Http1Answers((status) => (status === 200 ? resolve() : reject(new Error(`status ${status}`))));
    const socket = connect(port, "127.0.0.1", () =>
      socket.write(`GET /api/items HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`),
    );
    socket.on("data", (chunk: Buffer) => answers.push(chunk));
    socket.on("error", reject);
    socket.on("close", () => {
      closed++;
      reject(new Error("the proxy closed the connection"));
    });
  });
}

async function openSecure(mesh: MeshClient): Promise<void> {
  const { socket } = await mesh.open(true);
  socket.on("error", () => undefined);
  socket.on("close", () => closed++);
  stayAlive(socket);
}

async function lane(): Promise<void> {
  while (wanted-- > 0) {
    await (client === undefined ? openPlain() : openSecure(client));
    open++;
  }
}

// The harness ends the program by closing its pipe.
process.stdin.on("end", () => process.stdout.write(`closed ${closed}\n`, () => process.exit(0))).resume();
await Promise.all(Array.from({ length: lanes }, lane));
process.stdout.write(`ready ${open}\n`);
