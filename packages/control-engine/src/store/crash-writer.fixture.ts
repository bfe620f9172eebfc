// Writes revisions for ever and prints each number once it is acknowledged; the crash test kills it.

import { writeSync } from "node:fs";

import { holdProcess, systemClock } from "@ripstop/core";

import { openLmdbStore } from "./lmdb-store.ts";
import { pet } from "./pet.fixture.ts";

// A write that takes longer than a slice waits for a timer, and timers of the clock keep no process alive.
holdProcess();
const store = openLmdbStore({ directory: process.argv[2] ?? "", clock: systemClock });
for (;;) {
  const legs = store.revision + 1;
  const result = await store.commit({
    author: "writer",
    reason: "",
    puts: [pet("left", legs), pet("right", legs)],
    deletes: [],
  });
  if (result.ok) writeSync(1, `${result.value.number}\n`);
}
