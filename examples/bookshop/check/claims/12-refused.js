// A TLS client without an SVID of this trust domain gets nothing through.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import { connect } from "node:tls";
import * as x509 from "@peculiar/x509";
import { ensure } from "../mesh.js";

export const title = "foreign TLS clients are refused";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

/** A leaf with a SPIFFE id from a certificate authority made here. */
async function foreignIdentity(spiffeId) {
  x509.cryptoProvider.set(webcrypto);
  const [rootKeys, keys] = await Promise.all(
    [0, 1].map(() => webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])),
  );
  const [notBefore, notAfter] = [new Date(Date.now() - 60_000), new Date(Date.now() + 3_600_000)];
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "CN=Foreign root",
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    keys: rootKeys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  const leaf = await x509.X509CertificateGenerator.create({
    serialNumber: "02",
    subject: "",
    issuer: root.subject,
    notBefore,
    notAfter,
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: rootKeys.privateKey,
    extensions: [
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]),
      new x509.SubjectAlternativeNameExtension([{ type: "url", value: spiffeId }], true),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return { cert: leaf.toString("pem"), key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n` };
}

/** Handshakes and says hello in HTTP/2; how many bytes came back before the end. */
function knock(address, serverName, identity) {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    let received = 0;
    let reason = "closed";
    const socket = connect({
      host,
      port: Number(port),
      servername: serverName,
      ALPNProtocols: ["h2"],
      rejectUnauthorized: false,
      ...identity,
    });
    socket.on("secureConnect", () => socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", "latin1"));
    socket.on("data", (data) => (received += data.length));
    socket.on("error", (error) => (reason = error.code ?? error.message));
    socket.setTimeout(60_000, () => {
      reason = "nothing happened for 60 s";
      socket.destroy();
    });
    socket.on("close", () => resolve({ received, reason }));
  });
}

export async function run({ mesh }) {
  const workload = await mesh.workload("catalog");
  const [namespace, instance] = workload.id.split("/");
  const serverName = `${workload.applicationAddress.split(":")[1]}.${instance}.${namespace}.mesh`;
  const cases = {
    "no certificate": {},
    "another authority, same identity": await foreignIdentity(workload.spiffeId),
    "another trust domain": await foreignIdentity("spiffe://other.example/ns/shop/sa/web"),
  };
  const seen = [];
  for (const [name, identity] of Object.entries(cases)) {
    const { received, reason } = await knock(workload.inboundAddress, serverName, identity);
    ensure(received === 0, `${name}: ${received} bytes came back`);
    ensure(!reason.startsWith("nothing"), `${name}: ${reason}`);
    seen.push(`${name} (${reason})`);
  }
  return seen.join("; ");
}
