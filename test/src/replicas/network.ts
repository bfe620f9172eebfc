// A network of its own for control planes: each in a network namespace, all on one bridge with the host, so that the
// network of one can be cut. Needs root; a container without the right to make namespaces is told by `needsNetwork`.

import { spawnSync } from "node:child_process";

/** The reason to do without, or false. */
export function needsNetwork(): string | false {
  if (process.getuid?.() !== 0) return "needs root to make network namespaces";
  const name = `rs-probe-${process.pid}`;
  const bridge = `rsp${process.pid % 100_000}`;
  const made = ip("netns", "add", name) && ip("link", "add", bridge, "type", "bridge");
  ip("netns", "del", name);
  ip("link", "del", bridge);
  return made ? false : "needs iproute2 and the right to make network namespaces (CAP_NET_ADMIN, CAP_SYS_ADMIN)";
}

/** A bridge of the host and hosts on it. */
export class TestNetwork {
  /** Address of the host itself. */
  readonly gateway: string;
  readonly #subnet: string;
  readonly #bridge: string;
  readonly #tag: string;
  #hosts = 0;

  constructor() {
    const tag = process.pid % 4096;
    // Of the range for benchmarks between networks (RFC 2544), which nobody routes.
    this.#subnet = `198.18.${tag % 256}`;
    this.#tag = tag.toString(16);
    this.#bridge = `rsbr${this.#tag}`;
    this.gateway = `${this.#subnet}.1`;
    // Also when a test is cut off.
    process.once("exit", () => this.close());
    must("link", "add", this.#bridge, "type", "bridge");
    must("addr", "add", `${this.gateway}/24`, "dev", this.#bridge);
    must("link", "set", this.#bridge, "up");
  }

  /** Adds a host. */
  add(): TestHost {
    const number = ++this.#hosts;
    const namespace = `rsns${this.#tag}-${number}`;
    const link = `rsv${this.#tag}-${number}`;
    const address = `${this.#subnet}.${10 + number}`;
    must("netns", "add", namespace);
    must("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace);
    must("link", "set", link, "master", this.#bridge, "up");
    must("-n", namespace, "addr", "add", `${address}/24`, "dev", "eth0");
    must("-n", namespace, "link", "set", "eth0", "up");
    must("-n", namespace, "link", "set", "lo", "up");
    return { address, namespace, setUp: (isUp) => must("link", "set", link, isUp ? "up" : "down") };
  }

  /** Removes everything; a second call changes nothing. */
  close(): void {
    for (let number = 1; number <= this.#hosts; number++) ip("netns", "del", `rsns${this.#tag}-${number}`);
    ip("link", "del", this.#bridge);
  }
}

/** A network namespace on the bridge. */
export interface TestHost {
  readonly address: string;
  readonly namespace: string;
  /** Connects its cable, or pulls it out. */
  setUp(isUp: boolean): void;
}

function ip(...args: readonly string[]): boolean {
  return spawnSync("ip", args, { stdio: "ignore" }).status === 0;
}

function must(...args: readonly string[]): void {
  const { status, stderr } = spawnSync("ip", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`ip ${args.join(" ")}: ${stderr}`);
}
