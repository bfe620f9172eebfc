// L0: fakes for tests.

export { StoppedClock } from "./stopped-clock.ts";
