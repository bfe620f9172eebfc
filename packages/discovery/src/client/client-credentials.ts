// What a proxy shows the control plane, and whom it trusts: read from files, made into a TLS context when they changed.

import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContext } from "node:tls";

/** Paths of PEM files. */
export interface CredentialFiles {
  /** Leaf first. */
  readonly svid: string;
  readonly key: string;
  readonly bundle: string;
}

/** Credentials of one identity; connections of one process may share them. */
export class ClientCredentials {
  readonly #files: CredentialFiles;
  #pem: readonly string[] = [];
  #context: SecureContext | undefined;

  constructor(files: CredentialFiles) {
    this.#files = files;
  }

  /**
   * The context for TLS 1.3 as the files are now. Parsing them costs more than a handshake, so that one who tries again
   * and again gets the same context while they stay the same. Throws when a file cannot be read or is no PEM.
   */
  context(): SecureContext {
    const { svid, key, bundle } = this.#files;
    // Synchronous, so that the three belong together; a few kilobytes at most.
    const pem = [svid, key, bundle].map((path) => readFileSync(path, "utf8"));
    if (this.#context !== undefined && pem.every((text, at) => text === this.#pem[at])) return this.#context;
    const [cert = "", keyPem = "", ca = ""] = pem;
    this.#context = createSecureContext({ cert, key: keyPem, ca, minVersion: "TLSv1.3" });
    this.#pem = pem;
    return this.#context;
  }
}
