// L0: fakes for tests.

export {
  commandOptions,
  count,
  flag,
  readOptions,
  text,
  type CommandText,
  type Read,
  type Values,
} from "./command-options.ts";
export { freePort } from "./free-port.ts";
export { fuzz, SeededRandom } from "./fuzz.ts";
export { PatientClock } from "./patient-clock.ts";
export { StoppedClock } from "./stopped-clock.ts";
export { TestAuthority, type TestKeyType, type TestLeafOptions, type TestSvid } from "./test-authority.ts";
