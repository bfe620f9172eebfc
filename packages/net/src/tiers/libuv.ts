// Node's own bindings to libuv, which are not a public interface: typed here, found at run time, and trusted only
// after the self-test in select-tier.ts. Versions without them, or with --permission, use another tier.

/** A stream handle (TCP or pipe). */
export interface StreamHandle {
  /**
   * Called on every read, with the count or a negative error in `state[readResult]`. What it returns takes the place of
   * the user buffer, which only its owner keeps alive.
   */
  onread: ((this: StreamHandle) => Buffer | undefined) | undefined;
  /** The connection that owns the handle. */
  ripstopOwner?: StreamOwner | undefined;
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Buffer): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest, bytes: Buffer): number;
  shutdown(request: ShutdownRequest): number;
  close(done?: () => void): void;
  /** TCP only. */
  reset?(done?: () => void): number;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, delaySeconds: number): number;
  getpeername?(out: SocketAddress): number;
  getsockname?(out: SocketAddress): number;
}

/** Gets what a handle reads. */
export interface StreamOwner {
  onRead(result: number): Buffer | undefined;
}

/** What getpeername and getsockname fill in. */
export interface SocketAddress {
  address?: string;
  port?: number;
}

/** A handle that can connect. */
export interface ConnectingHandle extends StreamHandle {
  connect(request: ConnectRequest, address: string, port?: number): number;
  connect6?(request: ConnectRequest, address: string, port: number): number;
}

/** A write; free for the next use unless it went asynchronous. */
export interface WriteRequest {
  oncomplete: ((this: WriteRequest, status: number) => void) | undefined;
  handle?: StreamHandle | undefined;
  /** Must hold the bytes of an asynchronous write: nothing else keeps the collector from freeing what the kernel reads. */
  buffer?: Buffer | undefined;
  async: boolean;
}

/** A half-close. */
export interface ShutdownRequest {
  oncomplete: ((this: ShutdownRequest, status: number) => void) | undefined;
  handle?: StreamHandle | undefined;
}

/** A connection attempt. */
export interface ConnectRequest {
  oncomplete: ((status: number) => void) | undefined;
}

/** The parts of the bindings that the raw tier uses. */
export interface Libuv {
  /** Shared with C++: results of the last read or write. */
  readonly state: Int32Array;
  /** Index in `state`: bytes read, or a negative error. */
  readonly readResult: number;
  /** Index in `state`: 1 when the last write was not finished on return. */
  readonly writeWasAsync: number;
  newTcp(): ConnectingHandle;
  newPipe(): ConnectingHandle;
  newTcpConnect(): ConnectRequest;
  newPipeConnect(): ConnectRequest;
  newWrite(): WriteRequest;
  newShutdown(): ShutdownRequest;
}

/** End of stream, as libuv numbers it on every platform. */
export const UV_EOF: number = -4095;

type Construct = new (kind?: number) => unknown;

let found: Libuv | undefined;

/** The bindings; throws an Error with the reason when they are not there. */
export function libuv(): Libuv {
  found ??= load();
  return found;
}

function load(): Libuv {
  const tcp = nodeBinding("tcp_wrap");
  const pipe = nodeBinding("pipe_wrap");
  const stream = nodeBinding("stream_wrap");
  const state = stream["streamBaseState"];
  if (!(state instanceof Int32Array)) throw new Error("streamBaseState is missing");
  const make = <T>(from: Record<string, unknown>, name: string): ((kind?: number) => T) => {
    const known = from[name];
    if (typeof known !== "function") throw new Error(`${name} is missing`);
    const constructor = known as Construct;
    return (kind) => new constructor(kind) as T;
  };
  const tcpSocket = constant(tcp["constants"], "SOCKET");
  const pipeSocket = constant(pipe["constants"], "SOCKET");
  const newTcp = make<ConnectingHandle>(tcp, "TCP");
  const newPipe = make<ConnectingHandle>(pipe, "Pipe");
  return {
    state,
    readResult: constant(stream, "kReadBytesOrError"),
    writeWasAsync: constant(stream, "kLastWriteWasAsync"),
    newTcp: () => newTcp(tcpSocket),
    newPipe: () => newPipe(pipeSocket),
    newTcpConnect: make(tcp, "TCPConnectWrap"),
    newPipeConnect: make(pipe, "PipeConnectWrap"),
    newWrite: make(stream, "WriteWrap"),
    newShutdown: make(stream, "ShutdownWrap"),
  };
}

/** One of Node's internal bindings. Throws an Error with the reason when it is not there. */
export function nodeBinding(name: string): Record<string, unknown> {
  const access: unknown = Reflect.get(process, "binding");
  if (typeof access !== "function") throw new Error("process.binding is missing");
  const result: unknown = Reflect.apply(access, process, [name]);
  if (typeof result !== "object" || result === null) throw new Error(`the binding ${name} is missing`);
  return result as Record<string, unknown>;
}

function constant(holder: unknown, name: string): number {
  const value: unknown = typeof holder === "object" && holder !== null ? Reflect.get(holder, name) : undefined;
  if (typeof value !== "number") throw new Error(`${name} is missing`);
  return value;
}
