// Memory for output regions, send queues and incomplete frames, shared by all connections of the process:
// a connection that has nothing in flight holds none of it.

import { BufferPool } from "@ripstop/core";

/** The pool of this process. */
export const sharedPool: BufferPool = new BufferPool({
  smallestBytes: 4 * 1024,
  largestBytes: 256 * 1024,
  keptBytes: 1024 * 1024,
});
