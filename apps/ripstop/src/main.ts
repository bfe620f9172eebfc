#!/usr/bin/env node
// The executable. The proxy role is dispatched first, so that its process loads nothing of the command line.

const [, , role, first = ""] = process.argv;
if (role === "proxy" && first.startsWith("--") && first !== "--help") {
  const argv = process.argv.slice(3);
  if (argv.includes("--workers")) {
    const { proxyPrimary } = await import("./roles/proxy-primary.ts");
    proxyPrimary(argv);
  } else {
    const { proxyRole } = await import("./roles/proxy.ts");
    await proxyRole(argv);
  }
} else {
  const { commandLine } = await import("./command-line.ts");
  await commandLine(process.argv);
}
