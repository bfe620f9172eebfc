// New mutual-TLS connections one after the other on a few lanes, one request on each; with or without resumption.

import { MeshClient, type MeshTarget } from "./mesh-client.ts";
import { finish, giveUp, nowMs, programOptions } from "./program.ts";

const { target, seconds, resume, lanes } = programOptions<{
  readonly target: MeshTarget;
  readonly seconds: number;
  readonly resume: boolean;
  readonly lanes: number;
}>();
const client = new MeshClient(target);
const endMs = nowMs() + seconds * 1000;
let connections = 0;
let resumed = 0;
let errors = 0;
let lastError = "";

async function lane(): Promise<void> {
  while (nowMs() < endMs) {
    try {
      const answer = await client.open(resume);
      connections++;
      if (answer.resumed) resumed++;
      answer.socket.destroy();
    } catch (error) {
      errors++;
      lastError = String(error);
    }
    if (errors > 50 && connections === 0) giveUp(lastError);
  }
}

await Promise.all(Array.from({ length: lanes }, lane));
finish({ connections, resumed, errors });
