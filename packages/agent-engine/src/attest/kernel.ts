// The three system calls that Node does not have, by way of koffi. Loaded by the agent alone, at its first use.

/** Linux numbers (asm-generic; the same on x86-64 and arm64). */
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const SO_PEERPIDFD = 77;
const SYS_PIDFD_OPEN = 434;
const POLLIN = 1;

/** What the kernel says of the peer of a Unix socket. */
export interface Ucred {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** The calls; a negative file descriptor or undefined stands for a refusal. */
export interface Kernel {
  /** SO_PEERCRED: who connected (unix(7)). */
  peerCredentials(fd: number): Ucred | undefined;
  /** SO_PEERPIDFD (Linux 6.5): a descriptor of exactly the process that connected. */
  peerPidfd(fd: number): number;
  /** pidfd_open(2) (Linux 5.3): a descriptor of the process that has this number now. */
  pidfdOpen(pid: number): number;
  /** Whether the process of a pidfd has ended. */
  hasEnded(pidfd: number): boolean;
}

let loaded: Promise<Kernel> | undefined;

/** The calls of this machine; rejects where there are none (not Linux, no library for the processor). */
export function loadKernel(): Promise<Kernel> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<Kernel> {
  if (process.platform !== "linux") throw new Error(`the system is ${process.platform}, not Linux`);
  const { default: koffi } = await import("koffi");
  const libc = koffi.load(null);
  const getsockopt = libc.func(
    "int getsockopt(int fd, int level, int name, _Out_ void *value, _Inout_ uint32_t *length)",
  );
  const poll = libc.func("int poll(_Inout_ void *fds, unsigned long count, int timeoutMs)");
  const syscall = libc.func("long syscall(long number, long first, long second)");
  const option = (fd: number, name: number, size: number): Buffer | undefined => {
    const value = Buffer.alloc(size);
    const length = [size];
    const result: unknown = getsockopt(fd, SOL_SOCKET, name, value, length);
    return result === 0 && length[0] === size ? value : undefined;
  };
  return {
    peerCredentials(fd) {
      const value = option(fd, SO_PEERCRED, 12);
      if (value === undefined) return undefined;
      return { pid: value.readInt32LE(0), uid: value.readUInt32LE(4), gid: value.readUInt32LE(8) };
    },
    peerPidfd: (fd) => option(fd, SO_PEERPIDFD, 4)?.readInt32LE(0) ?? -1,
    pidfdOpen: (pid) => Number(syscall(SYS_PIDFD_OPEN, pid, 0)),
    hasEnded(pidfd) {
      // struct pollfd: the descriptor, the events that are asked for, those that are there.
      const asked = Buffer.alloc(8);
      asked.writeInt32LE(pidfd, 0);
      asked.writeInt16LE(POLLIN, 4);
      return Number(poll(asked, 1, 0)) !== 0;
    },
  };
}
