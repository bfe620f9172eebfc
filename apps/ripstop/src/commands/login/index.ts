// `ripstop login` and `ripstop logout`: a control plane on another host.

import { Command } from "commander";
import { withHome } from "../../options.ts";
import type { LoginOptions } from "./login.ts";

const EXAMPLES = `
Examples:
  ripstop login --server mesh.example:7446 --token-file ci.token --ca mesh.pem
  ripstop get httproutes -n shop
  ripstop logout

The token is an API token (ripstop access token create), or an ID token of an OpenID Connect provider that a LoginIssuer
trusts. --ca is the trust bundle of the mesh (ripstop identity bundle), when the API shows the control plane's own SVID.
Instead of a login a pipeline can set RIPSTOP_SERVER, RIPSTOP_TOKEN or RIPSTOP_TOKEN_FILE, and RIPSTOP_CA_FILE.`;

/** The command. */
export function loginCommand(): Command {
  return withHome(new Command("login"))
    .description("use a control plane on another host from now on, with a token")
    .requiredOption("--server <host:port>", "address of its API (ripstop control --api-address)")
    .requiredOption("--token-file <file>", "the token; - for standard input")
    .option("--ca <file>", "certificates that the server's must end in, PEM (default: those of the system)")
    .addHelpText("after", EXAMPLES)
    .action(async (options: LoginOptions) => {
      const { login } = await import("./login.ts");
      process.exitCode = await login(options);
    });
}

/** The command. */
export function logoutCommand(): Command {
  return withHome(new Command("logout"))
    .description("forget the control plane that `ripstop login` named")
    .action(async (options: { readonly home?: string }) => {
      const { logout } = await import("./login.ts");
      process.exitCode = logout(options);
    });
}
