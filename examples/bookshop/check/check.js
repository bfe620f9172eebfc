// Exercises every claim of the demo on a running shop, one line each with what was measured.
import { readdirSync } from "node:fs";
import { Mesh } from "./mesh.js";

/** Runs all claims; 0 when all of them hold, else 1. `program` is the built executable. */
export async function check(program, only = process.env.RIPSTOP_CLAIMS) {
  const folder = new URL("claims/", import.meta.url);
  const files = readdirSync(folder)
    .filter((name) => name.endsWith(".js"))
    .sort();
  const mesh = new Mesh(program);
  const context = { mesh };
  let [passed, failed] = [0, 0];
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    void mesh.abandon().then(() => process.exit(1));
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, interrupt);
  for (const file of files) {
    const { title, run, needed = false } = await import(new URL(file, folder).href);
    if (only && !needed && !new RegExp(only).test(file)) continue;
    const startMs = performance.now();
    const seconds = () => `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
    try {
      const measured = await run(context);
      if (interrupted) return 1;
      passed++;
      process.stdout.write(`✓ ${title}: ${measured} (${seconds()})\n`);
    } catch (error) {
      if (interrupted) return 1;
      failed++;
      process.stdout.write(`✗ ${title}: ${error.message} (${seconds()})\n`);
      if (process.env.RIPSTOP_DEBUG) process.stdout.write(`${error.stack}\n`);
      if (needed) {
        process.stdout.write(`${mesh.output}\n`);
        for (const name of ["control", "catalog-v1", "web"])
          process.stdout.write(`--- ${name}\n${mesh.log(name).slice(-3000)}\n`);
        break;
      }
    }
  }
  await mesh.abandon();
  process.stdout.write(`${passed} claims hold, ${failed} do not\n`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const program = process.argv[2] ?? new URL("../../../apps/ripstop/dist/main.js", import.meta.url).pathname;
  process.exit(await check(program));
}
