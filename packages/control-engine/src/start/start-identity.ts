// Starts who vouches for whom: the authority, the issuer of JWTs, revocations, and the control plane's own SVID.

import { join } from "node:path";

import { err, ok, type Result } from "@ripstop/core";
import { controlSpiffeId } from "@ripstop/identity";
import {
  adoptAuthority,
  openAuthority,
  openJwtIssuer,
  shareAuthority,
  startOwnIdentity,
  type AuthorityOptions,
  type IssueRefusal,
  type JwtIssuer,
  type OpenAuthority,
  type OwnIdentity,
  type SharedAuthority,
} from "@ripstop/identity/authority";

import { authorityFailed, authorityKeyUnusable } from "../errors.ts";
import type { EventLog } from "../events/event-log.ts";
import type { Failure } from "../failure.ts";
import { issuanceRules } from "../identity/enforce-revocations.ts";
import { IssuedIdentities } from "../identity/issued-identities.ts";
import { Revocations } from "../identity/revocations.ts";
import type { Replication } from "../store/store.ts";
import { given, type Ground } from "./ground.ts";

/** Who vouches for whom. */
export interface MeshIdentity {
  readonly authority: OpenAuthority;
  readonly jwt: JwtIssuer;
  readonly revocations: Revocations;
  readonly issued: IssuedIdentities;
  /** The control plane's own. */
  readonly own: OwnIdentity;
  readonly controlIdentity: string;
}

/** Opens the authority, or waits until the one that several control planes share is made. */
export async function startIdentity(ground: Ground): Promise<Result<MeshIdentity, Failure>> {
  const { options, undo, trustDomain, events, store, seal, leads } = ground;
  const { home, clock, metrics } = options;
  const directory = join(home, "authority");
  const revocations = new Revocations({ clock, trustDomain, table: store.table("revocations") });
  undo.push(() => revocations.close());
  const issued = new IssuedIdentities(clock, store.table("identities"));
  undo.push(() => issued.close());
  const rules = issuanceRules({ revocations, issued, events });
  const shared =
    seal === undefined
      ? undefined
      : shareAuthority({ records: store.table<string>("authority"), seal, directory, leads });
  if (shared !== undefined && store.replication !== undefined) {
    const adopted = await foundAuthority(shared, store.replication, directory);
    if (!adopted.ok) return adopted;
  }
  const authority = await openAuthority({
    ...rules,
    directory,
    trustDomain,
    clock,
    metrics,
    ...(options.svidTtlMs === undefined ? {} : { defaultTtlMs: options.svidTtlMs }),
    ...(options.caKey === undefined ? {} : { keyKind: options.caKey }),
    ...(options.rootLifetimeMs === undefined ? {} : { rootLifetimeMs: options.rootLifetimeMs }),
    ...(options.checkpoint === undefined ? {} : { checkpoint: options.checkpoint }),
    ...(options.externalCaDirectory === undefined ? {} : externalCa(options.externalCaDirectory, events)),
    ...(shared === undefined ? {} : { shared }),
    ...given(options),
  });
  if (!authority.ok) return failed(authority.error);
  undo.push(() => authority.value.close());
  const jwt = await openJwtIssuer({
    directory,
    trustDomain,
    clock,
    metrics,
    mayIssue: rules.mayIssue,
    ...(shared === undefined ? {} : { shared }),
    ...given(options),
  });
  if (!jwt.ok) return failed(jwt.error);
  undo.push(() => jwt.value.close());
  const controlIdentity = controlSpiffeId(trustDomain);
  const own = await startOwnIdentity({
    authority: authority.value,
    spiffeId: controlIdentity,
    clock,
    ...(options.svidTtlMs === undefined ? {} : { ttlMs: options.svidTtlMs }),
    ...given(options),
  });
  if (!own.ok) return failed(own.error);
  undo.push(() => own.value.close());
  return ok({ authority: authority.value, jwt: jwt.value, revocations, issued, own: own.value, controlIdentity });
}

function failed({ code, message }: Pick<IssueRefusal, "code" | "message">): Result<never, Failure> {
  return err({ kind: authorityFailed, message: `${code}: ${message}` });
}

/** The names that a Kubernetes TLS secret and cert-manager give these files. */
function externalCa(directory: string, events: EventLog): Pick<AuthorityOptions, "external" | "onExternalRefused"> {
  return {
    external: { chain: join(directory, "tls.crt"), key: join(directory, "tls.key"), roots: join(directory, "ca.crt") },
    onExternalRefused: (reason) =>
      events.add({
        severity: "critical",
        type: "ExternalCaRefused",
        subject: directory,
        message: `The new files of the external intermediate are refused, what was there before goes on: ${reason}.`,
      }),
  };
}

/** Kept when the shared authority may be opened: it is there, or this control plane leads and makes it. */
async function foundAuthority(
  shared: SharedAuthority,
  replication: Replication,
  directory: string,
): Promise<Result<undefined, Failure>> {
  const adopted = await adoptAuthority(shared, directory);
  if (!adopted.ok) return err({ kind: authorityKeyUnusable, message: adopted.error });
  return new Promise((resolve) => {
    const check = (): void => {
      if (!shared.isFounded && !replication.isLeader) return;
      for (const stop of stops) stop();
      resolve(ok(undefined));
    };
    const stops = [replication.onChange(check), shared.state.watch(check), shared.jwtKeys.watch(check)];
    check();
  });
}
