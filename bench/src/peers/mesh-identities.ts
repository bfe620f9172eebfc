// One throwaway authority and the certificates that it issues to both ends of a mesh hop, as files for any proxy.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { controlSpiffeId, workloadSpiffeId } from "@ripstop/identity";
import { openAuthority, type OpenAuthority } from "@ripstop/identity/authority";
import { createKeyAndCsr } from "@ripstop/identity/csr";
import { systemClock } from "@ripstop/core";

/** The trust domain of all measurements. */
export const TRUST_DOMAIN = "bench.mesh";
/** The namespace of all workloads. */
export const NAMESPACE = "bench";
/** Who the control plane would be. */
export const CONTROL_IDENTITY: string = controlSpiffeId(TRUST_DOMAIN);

/** One end's certificate and key. */
export interface EndIdentity {
  readonly spiffeId: string;
  readonly chainPem: string;
  readonly keyPem: string;
  readonly chainFile: string;
  readonly keyFile: string;
  /** Chain and key in one file. */
  readonly bothFile: string;
}

/** Both ends and the roots. */
export interface MeshIdentities {
  readonly bundlePem: string;
  readonly bundleDer: readonly Uint8Array[];
  readonly bundleFile: string;
  readonly client: EndIdentity;
  readonly backend: EndIdentity;
}

/** Makes everything in `folder`. Throws when the authority cannot be made. */
export async function createMeshIdentities(folder: string): Promise<MeshIdentities> {
  const opened = await openAuthority({
    directory: join(folder, "authority"),
    trustDomain: TRUST_DOMAIN,
    clock: systemClock,
  });
  if (!opened.ok) throw new Error(opened.error.message);
  const authority = opened.value;
  const { pem, der } = authority.bundle();
  const bundleFile = join(folder, "roots.pem");
  writeFileSync(bundleFile, pem);
  const client = await issue(authority, "client", folder);
  const backend = await issue(authority, "backend", folder);
  await authority.close();
  return { bundlePem: pem, bundleDer: der, bundleFile, client, backend };
}

async function issue(authority: OpenAuthority, name: string, folder: string): Promise<EndIdentity> {
  const spiffeId = workloadSpiffeId(TRUST_DOMAIN, NAMESPACE, name);
  const { keyPem, csrPem } = await createKeyAndCsr(spiffeId);
  const svid = await authority.issue(csrPem, spiffeId, 24 * 3_600_000);
  if (!svid.ok) throw new Error(svid.error.message);
  const { chainPem } = svid.value;
  const file = (suffix: string, content: string): string => {
    const path = join(folder, `${name}${suffix}`);
    writeFileSync(path, content, { mode: 0o600 });
    return path;
  };
  return {
    spiffeId,
    chainPem,
    keyPem,
    chainFile: file(".chain.pem", chainPem),
    keyFile: file(".key.pem", keyPem),
    bothFile: file(".pem", `${chainPem}${keyPem}`),
  };
}
