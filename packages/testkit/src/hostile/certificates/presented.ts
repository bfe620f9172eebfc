// What peers of the table present: a correct leaf, and ways in which it is not.

import { makeCertificate, uriName, type CertificateShape, type LabCa, type Presented } from "../certificate-lab.ts";
import type { HostileWorld } from "./certificate-case.ts";

/** The id of the peer in the table. */
export function peerId(trustDomain: string): string {
  return `spiffe://${trustDomain}/ns/shop/sa/web`;
}

type Shape = Omit<CertificateShape, "issuer">;

/** A leaf of the intermediate that differs from a correct one. */
export function leaf(shape: Shape | ((world: HostileWorld) => Shape)): (world: HostileWorld) => Presented {
  return (world) => {
    const wanted = typeof shape === "function" ? shape(world) : shape;
    const { der: leafDer, key } = makeCertificate(peerId(world.trustDomain), {
      issuer: world.intermediate,
      ...wanted,
    });
    return { chain: [leafDer, world.intermediate.der], key };
  };
}

/** A leaf with a single name made of the trust domain. */
export function named(uri: (trustDomain: string) => string): (world: HostileWorld) => Presented {
  return leaf(({ trustDomain }) => ({ names: [uriName(uri(trustDomain))] }));
}

/** A leaf under CAs of the test's own making. */
export function under(
  cas: (world: HostileWorld) => readonly LabCa[],
  shape: Shape = {},
): (world: HostileWorld) => Presented {
  return (world) => {
    const [issuer, ...above] = cas(world);
    const made = makeCertificate(peerId(world.trustDomain), { issuer: issuer ?? world.root, ...shape });
    return {
      chain: [made.der, ...(issuer === undefined ? [] : [issuer.der]), ...above.map((ca) => ca.der)],
      key: made.key,
    };
  };
}

/** A correct leaf whose bytes are changed after it was signed. */
export function encoded(change: (certificate: Buffer) => Buffer): (world: HostileWorld) => Presented {
  return (world) => {
    const { chain, key } = leaf({})(world);
    const [first = Buffer.alloc(0), ...rest] = chain;
    return { chain: [change(first), ...rest], key };
  };
}
