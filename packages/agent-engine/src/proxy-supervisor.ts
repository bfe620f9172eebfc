// Keeps a proxy alive: one to N processes that share its listening sockets. It holds a copy of each socket itself, so
// that a process can die, or give way to a new one, without a connection being refused.

import { Backoff, type Clock, type Timer } from "@ripstop/core";
import {
  type ClosedGatewayPort,
  MAX_WORKERS,
  type ListenerSide,
  type ProxyMessage,
  type ProxyPorts,
} from "@ripstop/model";
import { closeKept, ProxyProcess, type KeptSocket, type ProxyCommand } from "./proxy-process.ts";
import { WorkerQuestions } from "./worker-questions.ts";

/** Ends in a row before the proxy first listened that count as "it does not start". */
const MAX_FAILED_STARTS = 5;
/** A proxy that served this long starts again without a delay. */
const STABLE_AFTER_MS = 10_000;
/** Time for a proxy to end by itself after its channel closed. */
const END_GRACE_MS = 2_000;
/** Time for a replaced process to answer and end beyond its own deadline. */
const RETIRE_GRACE_MS = 2_000;
/** A new set of processes that does not serve within this time is given up; the old one goes on. */
const HAND_OVER_MS = 30_000;

/** What the supervisor tells; called in the order of events. */
export interface ProxyEvents {
  /** Listeners are open; also after each restart. */
  onListening(ports: ProxyPorts): void;
  /** Config is in force; also after each restart. */
  onReady(fromCache: boolean): void;
  /** What the proxy uses now. */
  onIdentity(workloadId: string, inForce: { readonly svidSerialNumber: string; readonly bundleSequence: number }): void;
  /** All ports of Gateways that it cannot open now. */
  onClosedPorts?(ports: readonly ClosedGatewayPort[]): void;
  /** It ended by itself and is started again after `restartInMs`. */
  onDied(description: string, restartInMs: number): void;
  /** It never came to listen: given up. */
  onFailed(description: string): void;
}

/** Settings with defaults. */
export interface SupervisorSettings {
  /** Processes that share the listeners, 1 … 64; default 1. */
  readonly workers?: number;
}

/** One that is kept for the processes that follow. */
interface Kept {
  readonly side: ListenerSide;
  readonly socket: KeptSocket;
}

/** The end of a hand-over. */
export type HandOver = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** All processes of one proxy. */
export class ProxySupervisor {
  readonly #command: ProxyCommand;
  readonly #stateDirectory: string;
  readonly #clock: Clock;
  readonly #events: ProxyEvents;
  readonly #workers: number;
  readonly #backoff = new Backoff({ initialMs: 100, maxMs: 5_000 });
  readonly #kept = new Map<string, Kept>();
  readonly #questions: WorkerQuestions;
  /** In the order of their start. */
  #processes: ProxyProcess[] = [];
  #lead: ProxyProcess | undefined;
  readonly #restartTimers = new Set<Timer>();
  #failedStarts = 0;
  #hasListened = false;
  #stopping = false;
  #inboundClosed = false;
  #drained: (() => void) | undefined;
  #draining = new Set<ProxyProcess>();
  #handOver: Promise<HandOver> | undefined;
  #onHandOverStep: () => void = () => undefined;
  #onGone: () => void = () => undefined;

  constructor(
    command: ProxyCommand,
    stateDirectory: string,
    context: { readonly clock: Clock; readonly events: ProxyEvents },
    settings: SupervisorSettings = {},
  ) {
    this.#command = command;
    this.#stateDirectory = stateDirectory;
    this.#clock = context.clock;
    this.#events = context.events;
    this.#workers = Math.min(Math.max(settings.workers ?? 1, 1), MAX_WORKERS);
    this.#questions = new WorkerQuestions(context.clock);
  }

  /** Process id of the lead, or undefined between two. */
  get pid(): number | undefined {
    return this.#lead?.pid;
  }

  /** Process ids of all that serve, those on their way out aside. */
  get pids(): readonly number[] {
    return this.#serving.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  get #serving(): readonly ProxyProcess[] {
    return this.#processes.filter(({ retiring }) => !retiring);
  }

  /** Starts the first process; the others follow when it listens. */
  start(): void {
    this.#startOne();
  }

  /** Tells the proxy that the identity files of a workload were replaced. */
  identityChanged(workloadId: string): void {
    for (const process of this.#processes) process.send({ type: "identity", workloadId });
  }

  /** Tells the proxy where the control planes are now. */
  controlAddressesChanged(addresses: readonly string[]): void {
    for (const process of this.#processes) process.send({ type: "control-addresses", addresses });
  }

  /** Kept when inbound work is finished, or after `deadlineMs`, or at once when no proxy runs. */
  drain(deadlineMs: number): Promise<void> {
    this.#closeInbound();
    const serving = this.#serving.filter(({ listening }) => listening);
    if (serving.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      // The proxy keeps the deadline itself; the spare time is for its answer.
      const timer = this.#clock.after(deadlineMs + 500, () => this.#drained?.());
      this.#draining = new Set(serving);
      this.#drained = () => {
        timer.clear();
        this.#drained = undefined;
        resolve();
      };
      for (const process of serving) process.send({ type: "drain", deadlineMs });
    });
  }

  /**
   * Replaces all processes by new ones (of a new version, with new settings): the new ones take the listening sockets,
   * and when they serve, the old ones lead their connections to the end, for at most `deadlineMs`. No connection is
   * refused. Kept when the new ones serve; when they do not, the old ones go on and the answer says why.
   */
  handOver(deadlineMs: number): Promise<HandOver> {
    if (this.#stopping || this.#inboundClosed) return Promise.resolve({ ok: false, reason: "the proxy is ending" });
    if (this.#kept.size === 0) return Promise.resolve({ ok: false, reason: "no listening socket is held" });
    this.#handOver ??= this.#replaceAll(deadlineMs).finally(() => {
      this.#handOver = undefined;
      this.#fillUp();
    });
    return this.#handOver;
  }

  /** Ends the proxy for good; kept when all its processes are gone. */
  stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#restartTimers) timer.clear();
    // First of all: a connection that would wait here is refused instead.
    this.#closeInbound();
    for (const { socket } of this.#kept.values()) closeKept(socket);
    this.#kept.clear();
    this.#onHandOverStep();
    if (this.#processes.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.after(END_GRACE_MS, () => {
        for (const process of this.#processes) process.kill();
      });
      this.#onGone = () => {
        if (this.#processes.length > 0) return;
        timer.clear();
        resolve();
      };
      for (const process of this.#processes) if (!process.release()) process.kill();
    });
  }

  #startOne(): ProxyProcess {
    const takesOver = this.#kept.size > 0;
    const slot = this.#freeSlot();
    const args = [
      "--state-dir",
      this.#stateDirectory,
      ...(slot === 0 ? [] : ["--slot", String(slot)]),
      ...(this.#workers === 1 ? [] : ["--processes", String(this.#workers)]),
      ...(takesOver ? ["--take-over"] : []),
      ...(this.#lead === undefined ? [] : ["--follow"]),
    ];
    const process = new ProxyProcess(
      { command: this.#command, args, slot, nowMs: this.#clock.monotonicMs() },
      {
        onMessage: (from, message, socket) => this.#receive(from, message, socket),
        onEnded: (ended, description) => this.#ended(ended, description),
      },
    );
    this.#lead ??= process;
    this.#processes.push(process);
    if (takesOver) {
      for (const key of this.#kept.keys()) this.#share(process, key);
      process.send({ type: "take-over" });
    }
    return process;
  }

  #freeSlot(): number {
    const taken = new Set(this.#processes.map(({ slot }) => slot));
    let slot = 0;
    while (taken.has(slot)) slot++;
    return slot;
  }

  #receive(from: ProxyProcess, message: ProxyMessage, socket: KeptSocket | undefined): void {
    if (!this.#processes.includes(from)) {
      if (socket !== undefined) closeKept(socket);
      return;
    }
    switch (message.type) {
      case "listener":
        this.#keep(from, message, socket);
        return;
      case "listener-closed":
        this.#forget(from, message.key);
        return;
      case "listener-wanted":
        this.#share(from, message.key);
        return;
      case "listening":
        from.listening = true;
        this.#hasListened = true;
        this.#failedStarts = 0;
        if (from === this.#lead || this.#handOver !== undefined) this.#events.onListening(message.ports);
        this.#fillUp();
        this.#onHandOverStep();
        return;
      case "ready":
        from.ready = true;
        this.#events.onReady(message.fromCache);
        this.#onHandOverStep();
        return;
      case "identity":
        this.#events.onIdentity(message.workloadId, message);
        return;
      case "closed-ports":
        // The others open nothing themselves; what one that gives way cannot open is the matter of those that follow.
        if (from === this.#lead && !from.retiring) this.#events.onClosedPorts?.(message.ports);
        return;
      case "drained":
        this.#draining.delete(from);
        if (this.#draining.size === 0) this.#drained?.();
        return;
      case "retiring":
        if (this.#lead === from) this.#chooseLead();
        return;
      case "ask":
        this.#questions.ask(from, this.#processes, message);
        return;
      case "answer":
        this.#questions.answer(from, message);
        return;
      default:
        message satisfies never;
    }
  }

  #keep(
    from: ProxyProcess,
    { key, side }: { readonly key: string; readonly side: ListenerSide },
    socket: KeptSocket | undefined,
  ): void {
    if (socket === undefined) return;
    const known = this.#kept.get(key);
    if (this.#stopping || (this.#inboundClosed && side === "inbound")) {
      closeKept(socket);
      return;
    }
    if (known !== undefined) closeKept(known.socket);
    this.#kept.set(key, { side, socket });
    for (const process of this.#processes) if (process !== from) this.#share(process, key);
    // Those of Gateways come after "listening".
    if (from.listening) this.#fillUp();
  }

  #share(process: ProxyProcess, key: string): void {
    const known = this.#kept.get(key);
    if (known !== undefined) process.send({ type: "listener", key, side: known.side }, known.socket);
  }

  #forget(from: ProxyProcess, key: string): void {
    const known = this.#kept.get(key);
    if (known === undefined || from !== this.#lead) return;
    closeKept(known.socket);
    this.#kept.delete(key);
    for (const process of this.#processes) if (process !== from) process.send({ type: "listener-closed", key });
  }

  /** Starts what is missing once the first process has shown that the proxy starts. */
  #fillUp(): void {
    if (this.#stopping || this.#kept.size === 0 || this.#handOver !== undefined) return;
    const waiting = this.#restartTimers.size;
    for (let count = this.#serving.length + waiting; count < this.#workers; count++) this.#startOne();
  }

  /** Another one writes the files and serves the admin socket. */
  #chooseLead(): void {
    this.#lead = this.#serving.find(({ listening }) => listening) ?? this.#serving[0];
    this.#lead?.send({ type: "lead", keys: [...this.#kept.keys()] });
  }

  #ended(ended: ProxyProcess, description: string): void {
    if (!this.#processes.includes(ended)) return;
    this.#processes = this.#processes.filter((process) => process !== ended);
    this.#questions.gone(ended);
    this.#draining.delete(ended);
    if (this.#draining.size === 0) this.#drained?.();
    if (this.#lead === ended) {
      this.#lead = undefined;
      if (!this.#stopping) this.#chooseLead();
    }
    this.#onGone();
    this.#onHandOverStep();
    if (this.#stopping || ended.retiring) return;
    // The new set's end is the hand-over's business while the old one serves.
    if (this.#handOver !== undefined && this.#serving.length >= this.#workers) return;
    if (!this.#hasListened && ++this.#failedStarts >= MAX_FAILED_STARTS) {
      this.#events.onFailed(description);
      return;
    }
    const stable = ended.listening && this.#clock.monotonicMs() - ended.startedMs >= STABLE_AFTER_MS;
    if (stable) this.#backoff.reset();
    const delayMs = stable ? 0 : Math.round(this.#backoff.next());
    this.#events.onDied(description, delayMs);
    const timer = this.#clock.after(delayMs, () => {
      this.#restartTimers.delete(timer);
      if (!this.#stopping) this.#startOne();
    });
    this.#restartTimers.add(timer);
  }

  async #replaceAll(deadlineMs: number): Promise<HandOver> {
    const old = this.#serving;
    const fresh = Array.from({ length: this.#workers }, () => this.#startOne());
    const serves = await this.#until(() => fresh.every(({ ready, listening }) => ready && listening), fresh);
    if (this.#stopping) return { ok: false, reason: "the proxy is ending" };
    if (!serves) {
      for (const process of fresh) {
        process.retiring = true;
        if (!process.release()) process.kill();
      }
      return { ok: false, reason: "the new process did not come to serve; the old one goes on" };
    }
    for (const process of old) {
      process.retiring = true;
      process.send({ type: "retire", deadlineMs });
      this.#clock.after(deadlineMs + RETIRE_GRACE_MS, () => {
        if (this.#processes.includes(process)) process.kill();
      });
    }
    return { ok: true };
  }

  /** True as soon as `holds`; false when one of `processes` has ended, or at the end of the time. */
  #until(holds: () => boolean, processes: readonly ProxyProcess[]): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (result: boolean): void => {
        timer.clear();
        this.#onHandOverStep = () => undefined;
        resolve(result);
      };
      const timer = this.#clock.after(HAND_OVER_MS, () => settle(false));
      this.#onHandOverStep = () => {
        if (this.#stopping || processes.some((process) => !this.#processes.includes(process))) settle(false);
        else if (holds()) settle(true);
      };
      this.#onHandOverStep();
    });
  }

  #closeInbound(): void {
    this.#inboundClosed = true;
    for (const [key, { side, socket }] of this.#kept) {
      if (side !== "inbound") continue;
      closeKept(socket);
      this.#kept.delete(key);
    }
  }
}
