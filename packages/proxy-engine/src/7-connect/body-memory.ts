// Memory for the bodies that exchanges keep until they are answered. Apart from the pool of HTTP/2: bodies of calls are
// small, and to make a buffer for each costs more than to copy what is in it.

import { BufferPool } from "@ripstop/core";

/** The pool of this process. 80 KB at rest at most. */
export const bodyMemory: BufferPool = new BufferPool({
  smallestBytes: 256,
  largestBytes: 4 * 1024,
  keptBytes: 16 * 1024,
});
