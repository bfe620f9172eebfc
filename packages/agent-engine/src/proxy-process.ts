// One process of a proxy, as its supervisor sees it.

import { fork, type ChildProcess } from "node:child_process";
import type { ProxyMessage, SupervisorMessage } from "@ripstop/model";

/** How to start the proxy: `execPath [...execArgs] modulePath [...args]`. */
export interface ProxyCommand {
  readonly execPath: string;
  readonly execArgs: readonly string[];
  readonly modulePath: string;
  /** "--state-dir DIR" and what the supervisor needs are added. */
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** A socket as it comes from a process and goes to others. */
export type KeptSocket = NonNullable<Parameters<ChildProcess["send"]>[1]>;

/** What a process tells its owner. */
export interface ProcessEvents {
  onMessage(process: ProxyProcess, message: ProxyMessage, socket: KeptSocket | undefined): void;
  onEnded(process: ProxyProcess, description: string): void;
}

/** A started process. */
export class ProxyProcess {
  /** Tells the processes of one proxy apart: no two that live at the same time have the same. */
  readonly slot: number;
  readonly startedMs: number;
  /** "listening" came. */
  listening = false;
  /** "ready" came. */
  ready = false;
  /** Was told to give way to others. */
  retiring = false;
  readonly #child: ChildProcess;

  constructor(
    start: {
      readonly command: ProxyCommand;
      readonly args: readonly string[];
      readonly slot: number;
      readonly nowMs: number;
    },
    events: ProcessEvents,
  ) {
    const { execPath, execArgs, modulePath, args, env } = start.command;
    this.slot = start.slot;
    this.startedMs = start.nowMs;
    this.#child = fork(modulePath, [...args, ...start.args], {
      execPath,
      execArgv: [...execArgs],
      env: { ...process.env, ...env },
      // Its messages go to the supervisor's stderr: stdout belongs to the application.
      stdio: ["ignore", 2, 2, "ipc"],
    });
    this.#child.on("message", (message: unknown, socket: unknown) => {
      if (isProxyMessage(message)) events.onMessage(this, message, isKeptSocket(socket) ? socket : undefined);
    });
    let ended = false;
    const end = (description: string): void => {
      if (ended) return;
      ended = true;
      events.onEnded(this, description);
    };
    this.#child.on("error", (cause) => end(cause.message));
    this.#child.on("exit", (code, signal) =>
      end(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`),
    );
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Sends, unless the process is gone: then its end is reported by `onEnded`. */
  send(message: SupervisorMessage, socket?: KeptSocket): void {
    if (!this.#child.connected) return;
    // The callback takes the error of a proxy that dies at this moment.
    this.#child.send(message, socket, {}, () => {});
  }

  /** Closes the channel, upon which the process ends by itself. False when there is none any more. */
  release(): boolean {
    if (!this.#child.connected) return false;
    this.#child.disconnect();
    return true;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Closes the supervisor's copy of a listening socket. */
export function closeKept(socket: KeptSocket): void {
  if ("close" in socket) socket.close();
}

function isKeptSocket(value: unknown): value is KeptSocket {
  return typeof value === "object" && value !== null && "close" in value;
}

const PLAIN_TYPES: readonly unknown[] = ["ready", "drained", "retiring"];

function isProxyMessage(value: unknown): value is ProxyMessage {
  if (typeof value !== "object" || value === null || !("type" in value)) return false;
  switch (value.type) {
    case "listening":
      return "ports" in value && typeof value.ports === "object" && value.ports !== null;
    case "listener":
      return "key" in value && typeof value.key === "string" && "side" in value;
    case "listener-closed":
    case "listener-wanted":
      return "key" in value && typeof value.key === "string";
    case "closed-ports":
      return "ports" in value && Array.isArray(value.ports);
    case "identity":
      return (
        "workloadId" in value &&
        typeof value.workloadId === "string" &&
        "svidSerialNumber" in value &&
        typeof value.svidSerialNumber === "string" &&
        "bundleSequence" in value &&
        typeof value.bundleSequence === "number"
      );
    case "ask":
      return "id" in value && typeof value.id === "number" && "question" in value;
    case "answer":
      return "id" in value && typeof value.id === "number";
    default:
      return PLAIN_TYPES.includes(value.type);
  }
}
