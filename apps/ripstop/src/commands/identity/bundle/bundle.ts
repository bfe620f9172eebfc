// Prints the trust bundle in one of three formats.

import { pemToDer } from "@ripstop/identity";
import { formatBundle } from "@ripstop/identity/jwt";
import type { TrustBundleView } from "@ripstop/model";
import { controlApi } from "../../../api.ts";
import { exitCodes } from "../../../exit-codes.ts";
import type { HomeOption } from "../../../options.ts";
import { printFailure } from "../../../output/failure.ts";

/** What -o takes. */
export type BundleFormat = "pem" | "json" | "spiffe";

const REFRESH_HINT_S = 300;

/** Prints; the exit code. */
export async function bundle(options: HomeOption & { readonly output: BundleFormat }): Promise<number> {
  const answer = await controlApi(options).call<TrustBundleView>("GET", "/v1/identity/bundle");
  if (!answer.ok) return printFailure(answer.error);
  process.stdout.write(textOf(answer.value, options.output));
  return exitCodes.done;
}

function textOf(view: TrustBundleView, format: BundleFormat): string {
  if (format === "pem") return view.pem;
  if (format === "json") return `${JSON.stringify(view, undefined, 2)}\n`;
  const roots = pemToDer(view.pem);
  const document: unknown = JSON.parse(
    formatBundle({
      x509Authorities: roots.ok ? roots.value : [],
      jwtAuthorities: [],
      sequence: view.sequence,
      refreshHintS: REFRESH_HINT_S,
    }),
  );
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
