// Prints the trust bundle in one of three formats.

import { bundleDocument, pemToDer } from "@ripstop/identity";
import type { TrustBundleView } from "@ripstop/model";
import { controlApi } from "../../../api.ts";
import { exitCodes } from "../../../exit-codes.ts";
import type { HomeOption } from "../../../options.ts";
import { printFailure } from "../../../output/failure.ts";

/** What -o takes. */
export type BundleFormat = "pem" | "json" | "spiffe";

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
  const document = bundleDocument(roots.ok ? roots.value : [], view.sequence);
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
