// What one end of a config stream holds of a type, in a few bytes: compared now and then, so that a lost update is found.

/** Names and versions of one type, whatever their order. */
export interface StateChecksum {
  readonly resources: number;
  /** 16 hexadecimal digits. */
  readonly digest: string;
}

const OFFSET = 0x81_1c_9d_c5;
const PRIME = 0x01_00_01_93;
const SECOND_OFFSET = 0x5b_d1_e9_95;

/**
 * The checksum of pairs of name and version ("" for a resource that is known not to exist). Sums of two FNV-1a hashes
 * over each pair: against faults, not against attackers, who can only harm their own stream with it.
 */
export function stateChecksum(state: Iterable<readonly [name: string, version: string]>): StateChecksum {
  let resources = 0;
  let first = 0;
  let second = 0;
  for (const [name, version] of state) {
    resources++;
    first = (first + hash(hash(OFFSET, name), version)) >>> 0;
    second = (second + hash(hash(SECOND_OFFSET, version), name)) >>> 0;
  }
  return { resources, digest: hex(first) + hex(second) };
}

function hash(start: number, text: string): number {
  let value = start;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), PRIME);
  // A separator, so that "ab" + "c" is not "a" + "bc".
  return Math.imul(value ^ 0x1_00_00, PRIME);
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
