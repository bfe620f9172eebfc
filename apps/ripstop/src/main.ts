#!/usr/bin/env node
// The executable. The proxy role is dispatched first, so that its process loads nothing of the command line.

if (process.argv[2] === "proxy") {
  const { proxyRole } = await import("./roles/proxy.ts");
  await proxyRole(process.argv.slice(3));
} else {
  const { commandLine } = await import("./command-line.ts");
  await commandLine(process.argv);
}
