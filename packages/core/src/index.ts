// L0: what every other package stands on. No I/O, no dependencies.

export { Backoff, type BackoffOptions } from "./backoff.ts";
export { BufferPool, type BufferPoolOptions } from "./buffer-pool.ts";
export { ByteWriter } from "./byte-writer.ts";
export { holdProcess, sleep, systemClock, type Clock, type Timer } from "./clock.ts";
export { copyBytes } from "./copy-bytes.ts";
export { formatDurationMs, parseDurationMs } from "./duration.ts";
export { defineError, RipstopError, type ErrorKind } from "./error-kind.ts";
export { err, ok, type Result } from "./result.ts";
