// A request or connection as policies see it; one object, filled anew for each.

import { HeaderList } from "@ripstop/http";
import type { PeerInfo, RequestInfo } from "@ripstop/policy-api/proxy";

const NO_PEER: PeerInfo = { identity: "", namespace: "", serviceAccount: "", address: "" };
const NO_HEADERS = new HeaderList();

/** A reusable RequestInfo. */
export class RequestView implements RequestInfo {
  source: PeerInfo = NO_PEER;
  port = 0;
  http = false;
  method = "";
  host = "";
  path = "";
  query = "";
  headers: HeaderList = NO_HEADERS;
  gateway = "";
  listener = "";
  route = "";

  /** Describes a raw connection. */
  setConnection(source: PeerInfo, port: number, host: string = ""): void {
    this.source = source;
    this.port = port;
    this.http = false;
    this.method = "";
    this.host = host;
    this.path = "";
    this.query = "";
    this.headers = NO_HEADERS;
  }
}
