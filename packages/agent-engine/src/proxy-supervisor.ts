// Keeps the proxy process of a workload alive: starts it, listens to it, restarts it with backoff when it dies.

import { fork, type ChildProcess } from "node:child_process";
import { Backoff, type Clock, type Timer } from "@ripstop/core";
import type { ProxyMessage, ProxyPorts, SupervisorMessage } from "@ripstop/model";

/** Ends in a row before the proxy first listened that count as "it does not start". */
const MAX_FAILED_STARTS = 5;
/** A proxy that served this long starts again without a delay. */
const STABLE_AFTER_MS = 10_000;
/** Time for a proxy to end by itself after its channel closed. */
const END_GRACE_MS = 2_000;

/** How to start the proxy: `execPath [...execArgs] modulePath [...args]`. */
export interface ProxyCommand {
  readonly execPath: string;
  readonly execArgs: readonly string[];
  readonly modulePath: string;
  /** "--state-dir DIR" is added. */
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env: Readonly<Record<string, string>>;
}

/** What the supervisor tells; called in the order of events. */
export interface ProxyEvents {
  /** Listeners are open; also after each restart. */
  onListening(ports: ProxyPorts): void;
  /** Config is in force; also after each restart. */
  onReady(fromCache: boolean): void;
  /** What the proxy uses now. */
  onIdentity(workloadId: string, inForce: { readonly svidSerialNumber: string; readonly bundleSequence: number }): void;
  /** It ended by itself and is started again after `restartInMs`. */
  onDied(description: string, restartInMs: number): void;
  /** It never came to listen: given up. */
  onFailed(description: string): void;
}

/** One proxy process at a time. */
export class ProxySupervisor {
  readonly #command: ProxyCommand;
  readonly #stateDirectory: string;
  readonly #clock: Clock;
  readonly #events: ProxyEvents;
  readonly #backoff = new Backoff({ initialMs: 100, maxMs: 5_000 });
  #child: ChildProcess | undefined;
  #restartTimer: Timer | undefined;
  #startedMs = 0;
  #failedStarts = 0;
  #hasListened = false;
  #stopping = false;
  #drained: (() => void) | undefined;

  constructor(command: ProxyCommand, stateDirectory: string, clock: Clock, events: ProxyEvents) {
    this.#command = command;
    this.#stateDirectory = stateDirectory;
    this.#clock = clock;
    this.#events = events;
  }

  /** Process id of the running proxy, or undefined between two. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts the first process. */
  start(): void {
    const { execPath, execArgs, modulePath, args, env } = this.#command;
    this.#startedMs = this.#clock.monotonicMs();
    const child = fork(modulePath, [...args, "--state-dir", this.#stateDirectory], {
      execPath,
      execArgv: [...execArgs],
      env: { ...process.env, ...env },
      // Its messages go to the supervisor's stderr: stdout belongs to the application.
      stdio: ["ignore", 2, 2, "ipc"],
    });
    this.#child = child;
    child.on("message", (message: unknown) => {
      if (isProxyMessage(message) && this.#child === child) this.#receive(message);
    });
    let ended = false;
    const end = (description: string): void => {
      if (ended) return;
      ended = true;
      this.#ended(child, description);
    };
    child.on("error", (cause) => end(cause.message));
    child.on("exit", (code, signal) =>
      end(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`),
    );
  }

  /** Tells the proxy that the identity files of a workload were replaced. */
  identityChanged(workloadId: string): void {
    this.#send({ type: "identity", workloadId });
  }

  /** Kept when inbound work is finished, or after `deadlineMs`, or at once when no proxy runs. */
  drain(deadlineMs: number): Promise<void> {
    if (this.#child === undefined || !this.#hasListened) return Promise.resolve();
    return new Promise((resolve) => {
      // The proxy keeps the deadline itself; the spare time is for its answer.
      const timer = this.#clock.after(deadlineMs + 500, () => this.#drained?.());
      this.#drained = () => {
        timer.clear();
        this.#drained = undefined;
        resolve();
      };
      this.#send({ type: "drain", deadlineMs });
    });
  }

  /** Ends the proxy for good; kept when it is gone. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#restartTimer?.clear();
    const child = this.#child;
    if (child === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.after(END_GRACE_MS, () => child.kill("SIGKILL"));
      child.once("exit", () => {
        timer.clear();
        resolve();
      });
      if (child.connected) child.disconnect();
      else child.kill("SIGKILL");
    });
  }

  #receive(message: ProxyMessage): void {
    switch (message.type) {
      case "listening":
        this.#hasListened = true;
        this.#failedStarts = 0;
        this.#events.onListening(message.ports);
        return;
      case "ready":
        this.#events.onReady(message.fromCache);
        return;
      case "identity":
        this.#events.onIdentity(message.workloadId, message);
        return;
      case "drained":
        this.#drained?.();
        return;
      default:
        message satisfies never;
    }
  }

  #ended(child: ChildProcess, description: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    this.#drained?.();
    if (this.#stopping) return;
    if (!this.#hasListened && ++this.#failedStarts >= MAX_FAILED_STARTS) {
      this.#events.onFailed(description);
      return;
    }
    const stable = this.#hasListened && this.#clock.monotonicMs() - this.#startedMs >= STABLE_AFTER_MS;
    if (stable) this.#backoff.reset();
    const delayMs = stable ? 0 : Math.round(this.#backoff.next());
    this.#events.onDied(description, delayMs);
    this.#restartTimer = this.#clock.after(delayMs, () => this.start());
  }

  #send(message: SupervisorMessage): void {
    const child = this.#child;
    // The callback takes the error of a proxy that dies at this moment: its end is reported by "exit".
    if (child?.connected === true) child.send(message, () => {});
  }
}

function isProxyMessage(value: unknown): value is ProxyMessage {
  if (typeof value !== "object" || value === null || !("type" in value)) return false;
  if (value.type === "listening") return "ports" in value && typeof value.ports === "object" && value.ports !== null;
  if (value.type === "identity") {
    return (
      "workloadId" in value &&
      typeof value.workloadId === "string" &&
      "svidSerialNumber" in value &&
      typeof value.svidSerialNumber === "string" &&
      "bundleSequence" in value &&
      typeof value.bundleSequence === "number"
    );
  }
  return value.type === "ready" || value.type === "drained";
}
