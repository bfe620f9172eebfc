// L1: connections, listeners, TLS.

export type { CloseCause, Conn, ConnHandler, TlsInfo } from "./conn.ts";
