// Who is at the other end of a Unix socket, by the kernel's word: user, group and process, with a hold on exactly that
// process, so that a process number that was given to another is noticed.

import { closeSync } from "node:fs";
import type { Socket } from "node:net";

import { err, ok, type Result } from "@ripstop/core";
import type { PeerCredentials } from "../workload-identity-source.ts";
import { loadKernel, type Kernel } from "./kernel.ts";

/** Credentials that hold a descriptor of the process until closed. */
export interface HeldCredentials extends PeerCredentials {
  close(): void;
}

/** Reads credentials; one of these serves a whole agent. */
export class PeerCredentialReader {
  readonly #kernel: Kernel;

  private constructor(kernel: Kernel) {
    this.#kernel = kernel;
  }

  /** Fails with a sentence where the kernel cannot be asked (not Linux). */
  static async open(): Promise<Result<PeerCredentialReader, string>> {
    try {
      return ok(new PeerCredentialReader(await loadKernel()));
    } catch (error) {
      return err(error instanceof Error ? error.message : String(error));
    }
  }

  /** Of the peer of an accepted Unix socket; released when the socket closes. */
  ofSocket(socket: Socket): Result<PeerCredentials, string> {
    const fd = descriptorOf(socket);
    if (fd === undefined) return err("the socket has no descriptor");
    const credentials = this.read(fd);
    if (!credentials.ok) return credentials;
    const held = credentials.value;
    socket.once("close", () => held.close());
    return credentials;
  }

  /** Of the peer of the Unix socket with this descriptor. */
  read(fd: number): Result<HeldCredentials, string> {
    const kernel = this.#kernel;
    const found = kernel.peerCredentials(fd);
    if (found === undefined) return err("the socket is no Unix socket");
    if (found.pid <= 0) return err("the caller is in a process namespace that the agent cannot see");
    let pidfd = kernel.peerPidfd(fd);
    // Before Linux 6.5: whoever has the number now. The moment since the connect is the only gap.
    if (pidfd < 0) pidfd = kernel.pidfdOpen(found.pid);
    if (pidfd < 0) return err(`process ${found.pid} has ended already`);
    let open = true;
    return ok({
      ...found,
      isAlive: () => open && !kernel.hasEnded(pidfd),
      close() {
        if (!open) return;
        open = false;
        closeSync(pidfd);
      },
    });
  }
}

/** Node keeps the descriptor of a socket in its handle; there is no public way to it. */
function descriptorOf(socket: Socket): number | undefined {
  const handle: unknown = "_handle" in socket ? socket._handle : undefined;
  const fd: unknown = typeof handle === "object" && handle !== null && "fd" in handle ? handle.fd : undefined;
  return typeof fd === "number" && fd >= 0 ? fd : undefined;
}
