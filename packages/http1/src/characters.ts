// Byte classes of RFC 9110 §5.6 and RFC 9112 as tables.

export const HTAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;
export const COLON = 58;
export const SEMICOLON = 59;

const TOKEN_TEXT = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** For a tchar (RFC 9110 §5.6.2) its lower-case form, 0 for any other byte. */
export const TOKEN_LOWER: Uint8Array = new Uint8Array(256);
for (const character of TOKEN_TEXT) {
  TOKEN_LOWER[character.charCodeAt(0)] = character.toLowerCase().charCodeAt(0);
}

/** 1 for what a field value may hold (RFC 9110 §5.5): HTAB, SP, VCHAR and obs-text. */
export const FIELD_VALUE: Uint8Array = new Uint8Array(256).fill(1, SP);
FIELD_VALUE[HTAB] = 1;
FIELD_VALUE[127] = 0;

/**
 * 1 for what a request target may hold: visible ASCII but no "#" (a fragment is never sent, RFC 9110 §7.1).
 * A few of these bytes are outside RFC 3986; real clients send them, and they cannot change the framing.
 */
export const TARGET: Uint8Array = new Uint8Array(256).fill(1, 33, 127);
TARGET[35] = 0;

/** The value of a hexadecimal digit, 255 for any other byte. */
export const HEX_VALUE: Uint8Array = new Uint8Array(256).fill(255);
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16);
  HEX_VALUE[digit.charCodeAt(0)] = value;
  HEX_VALUE[digit.toUpperCase().charCodeAt(0)] = value;
}
