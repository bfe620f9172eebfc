// L0: HTTP semantics shared by both codecs and the engine.

export { canonicalAuthority, hasPort } from "./authority.ts";
export { ByteBudget, queuedBodies } from "./byte-budget.ts";
export { HeaderList } from "./header-list.ts";
export { httpDate } from "./http-date.ts";
export { RequestHead, ResponseHead, UNKNOWN_LENGTH, type HttpVersion } from "./heads.ts";
export {
  StreamErrorCode,
  type ClientStream,
  type ClientStreamHandler,
  type HttpStream,
  type HttpStreamHandler,
  type ServerStream,
  type ServerStreamHandler,
} from "./http-stream.ts";
export { compileTextPattern, textPatternProblem, type TextPattern } from "./text-pattern.ts";
