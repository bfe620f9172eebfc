// Proxy side of the example policy.

import type { Denial, Filter, FilterFactory, PolicyConfig, RequestInfo } from "@ripstop/policy-api/proxy";

import { ExampleConfig } from "./config.gen.ts";
import { exampleRefused } from "./errors.ts";

/** Makes the filter of a workload. */
export const filterFactory: FilterFactory = {
  kind: "example",
  order: 10_000,
  create: (configs) => new ExampleFilter(configs),
};

class ExampleFilter implements Filter {
  /** In place of each policy its denial, made once. */
  readonly #wanted: readonly { readonly header: string; readonly denial: Denial }[];

  constructor(configs: readonly PolicyConfig[]) {
    this.#wanted = configs.map(({ name, config }) => {
      const { header, reason } = ExampleConfig.decode(config);
      const message = `Example policy ${name}: ${reason}`;
      return { header, denial: { kind: exampleRefused, policy: name, clause: "spec.header", message } };
    });
  }

  onRequest(request: RequestInfo): Denial | undefined {
    if (!request.http) return undefined;
    for (const { header, denial } of this.#wanted) if (request.headers.get(header) === undefined) return denial;
    return undefined;
  }
}
