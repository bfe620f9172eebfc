// The filters of a route that one request goes through: those of its rule, then those of the backend that was chosen.
// Made only for requests whose rule or backend has any.

import { RequestHead, ResponseHead, type HeaderList } from "@ripstop/http";
import type { RequestMirror } from "@ripstop/model";
import { takesMirror, type RouteFilters } from "@ripstop/routing";
import { parseAuthority } from "../2-identify/authority.ts";
import { refusal, type Refusal } from "../7-connect/local-reply.ts";
import { originRefused } from "../errors.ts";

/** A copy of a request, to be sent to a mirror. */
export interface MirrorCopy {
  readonly mirror: RequestMirror;
  readonly head: RequestHead;
}

/** The filters of one request. */
export class AppliedFilters {
  readonly #rule: RouteFilters | undefined;
  readonly #backend: RouteFilters | undefined;
  /** The request's Origin while a CORS filter applies. */
  #origin = "";

  constructor(rule: RouteFilters | undefined, backend: RouteFilters | undefined) {
    this.#rule = rule;
    this.#backend = backend;
  }

  /** What answers in place of the service; undefined when the request goes on. `port` is that of the service. */
  answer(request: RequestHead, port: number): ResponseHead | Refusal | undefined {
    const cors = this.#cors;
    if (cors !== undefined) {
      this.#origin = request.headers.get("origin") ?? "";
      if (cors.isPreflight(request.method, request.headers)) {
        if (!cors.allows(request.headers)) {
          return refusal(originRefused, `pages of ${this.#origin} may not ask for this`);
        }
        const head = new ResponseHead();
        head.status = 204;
        cors.answerPreflight(request.headers, head.headers);
        return head;
      }
    }
    const redirect = this.#rule?.redirect ?? this.#backend?.redirect;
    if (redirect === undefined) return undefined;
    const head = new ResponseHead();
    head.status = redirect.status;
    head.contentLength = 0;
    const host = parseAuthority(request.authority)?.host ?? "";
    const { scheme, path: target } = request;
    head.headers.append("location", redirect.location({ scheme, host, port, target }));
    this.editResponse(head.headers);
    return head;
  }

  /** Changes the request as the filters say, and returns the copies for mirrors. `random` gives numbers in [0, 1). */
  editRequest(request: RequestHead, random: () => number): readonly MirrorCopy[] {
    const asked = request.path;
    const copies: MirrorCopy[] = [];
    this.#apply(this.#rule, request, asked);
    copyFor(this.#rule?.mirrors, { request, random, copies });
    this.#apply(this.#backend, request, asked);
    copyFor(this.#backend?.mirrors, { request, random, copies });
    return copies;
  }

  /** Changes the header fields of the response as the filters say. */
  editResponse(headers: HeaderList): void {
    this.#cors?.mark(this.#origin, headers);
    for (const edits of this.#rule?.responseEdits ?? []) edits.apply(headers);
    for (const edits of this.#backend?.responseEdits ?? []) edits.apply(headers);
  }

  get #cors(): RouteFilters["cors"] {
    return this.#backend?.cors ?? this.#rule?.cors;
  }

  /** `asked` is the target before any rewrite: the one of a backend replaces that of its rule. */
  #apply(filters: RouteFilters | undefined, request: RequestHead, asked: string): void {
    if (filters === undefined) return;
    for (const edits of filters.requestEdits) edits.apply(request.headers);
    const { rewrite } = filters;
    if (rewrite === undefined) return;
    if (rewrite.path !== undefined) request.path = rewrite.path.apply(asked);
    if (rewrite.hostname !== "") request.authority = rewrite.hostname;
  }
}

interface Copying {
  readonly request: RequestHead;
  readonly random: () => number;
  readonly copies: MirrorCopy[];
}

function copyFor(mirrors: readonly RequestMirror[] | undefined, { request, random, copies }: Copying): void {
  // A WebSocket cannot be answered by two.
  if (mirrors === undefined || request.protocol !== "") return;
  for (const mirror of mirrors) {
    if (!takesMirror(mirror, random())) continue;
    const head = new RequestHead();
    head.copyFrom(request);
    head.expectsContinue = false;
    copies.push({ mirror, head });
  }
}
