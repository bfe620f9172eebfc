// The value of Date (RFC 9110 §5.6.7): the text of a second is made once.

let lastSecond = NaN;
let lastText = "";

/** `nowMs` (milliseconds since the Unix epoch) as an IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT". */
export function httpDate(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== lastSecond) {
    lastSecond = second;
    lastText = new Date(second * 1000).toUTCString();
  }
  return lastText;
}
