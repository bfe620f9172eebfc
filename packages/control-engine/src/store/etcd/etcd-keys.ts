// Names of the store's keys in etcd. Everything lies under one prefix:
//
//   home                  the id of the mesh home that this belongs to
//   head                  { format, number, base }: the newest revision, and the state from which the log goes on
//   log/NUMBER            { id, revision } or { id, chunks }: one revision, numbers with leading zeros
//   chunk/ID/NUMBER       a revision that is too large for one value, cut into pieces
//   base/NUMBER/PIECE     all resources as of revision NUMBER, a JSON array for each piece
//   table/NAME/KEY        an entry of a table
//   replica/ID            what a control plane says of itself; goes with its lease
//   leader                "ID LEASE" of the one that leads; goes with its lease

/** What `head` says. */
export interface Head {
  readonly format: 1;
  /** The newest revision. */
  readonly number: number;
  /** Revision of the base; the log holds what came after. */
  readonly base: number;
}

/** Digits of a number in a key, so that the order of keys is that of the numbers. */
const DIGITS = 12;

/** The keys under a prefix such as "/ripstop/". */
export class EtcdKeys {
  readonly prefix: string;
  readonly home: string;
  readonly head: string;
  readonly log: string;
  readonly table: string;
  readonly replica: string;
  readonly leader: string;

  constructor(prefix: string) {
    this.prefix = prefix.endsWith("/") ? prefix : `${prefix}/`;
    this.home = `${this.prefix}home`;
    this.head = `${this.prefix}head`;
    this.log = `${this.prefix}log/`;
    this.table = `${this.prefix}table/`;
    this.replica = `${this.prefix}replica/`;
    this.leader = `${this.prefix}leader`;
  }

  logEntry(number: number): string {
    return `${this.log}${String(number).padStart(DIGITS, "0")}`;
  }

  /** Prefix of the pieces of a large revision. */
  chunks(id: string): string {
    return `${this.prefix}chunk/${id}/`;
  }

  /** Prefix of the pieces of a base. */
  base(number: number): string {
    return `${this.prefix}base/${String(number).padStart(DIGITS, "0")}/`;
  }

  piece(prefix: string, index: number): string {
    return `${prefix}${String(index).padStart(6, "0")}`;
  }
}

/** The end of the range of all keys that begin with `prefix`. */
export function rangeEndOf(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  const last = end.length - 1;
  // Prefixes end in "/", never in 0xff.
  end[last] = (end[last] ?? 0) + 1;
  return end;
}
