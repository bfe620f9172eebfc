// A peer that is refused in its handshake is told why by a TLS alert, even when it was quicker than our own turn.

import assert from "node:assert/strict";
import { once } from "node:events";
import { it } from "node:test";
import { Worker } from "node:worker_threads";
import { PatientClock, TestAuthority } from "@ripstop/testkit";
import { IdentityTable } from "./identity-table.ts";
import { meshServerName } from "./mesh-server-name.ts";
import { listenTls } from "./tls-server.ts";

const WORKLOAD = "shop/catalog-1";
const WAIT_MS = 60_000;

/** A client without a certificate: raises `flags[0]` once its last flight is sent, then tells how the connection ended. */
const CLIENT = `
  const { parentPort, workerData: { flags, options } } = require("node:worker_threads");
  const socket = require("node:tls").connect({ ...options, ALPNProtocols: ["h2"], rejectUnauthorized: false });
  let failure = "closed without a word";
  socket.on("error", (error) => (failure = error.code));
  socket.on("close", () => parentPort.postMessage(failure));
  socket.on("secureConnect", () => setImmediate(() => {
    Atomics.store(flags, 0, 1);
    Atomics.notify(flags, 0);
  }));
`;

it("tells a client without a certificate what is missing, also when its answer is there before the next turn", async () => {
  const authority = await TestAuthority.create();
  const identities = new IdentityTable();
  assert.ok(identities.setBundles(new Map([[authority.trustDomain, authority.bundlePem]])).ok);
  assert.ok(identities.setIdentity(WORKLOAD, await authority.issue(authority.idOf("catalog"))).ok);
  const flags = new Int32Array(new SharedArrayBuffer(4));

  // Asked for while the first flight is made. What is queued then runs behind that flight and before anything is read.
  const serverContext = identities.serverContext.bind(identities);
  const waits: boolean[] = [];
  identities.serverContext = (workloadId) => {
    process.nextTick(() => waits.push(Atomics.wait(flags, 0, 0, WAIT_MS) !== "timed-out"));
    return serverContext(workloadId);
  };
  const reasons: string[] = [];
  const opened = await listenTls({
    identities,
    verifyPeer: () => assert.fail("there is no certificate to verify"),
    observer: { accepted: () => assert.fail("accepted"), refused: (refusal) => reasons.push(refusal.reason) },
    clock: new PatientClock(),
    tierName: "raw",
    onConn: () => assert.fail("accepted"),
  });
  assert.ok(opened.ok);
  const options = { host: "127.0.0.1", port: opened.value.port, servername: meshServerName(WORKLOAD, 8080) };
  const client = new Worker(CLIENT, { eval: true, workerData: { flags, options } });
  try {
    const [ending] = await once(client, "message");
    assert.equal(ending, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
    assert.deepEqual(waits, [true], "the client was done while we waited");
    assert.deepEqual(reasons, ["no_certificate"]);
  } finally {
    await client.terminate();
    opened.value.close();
  }
});
