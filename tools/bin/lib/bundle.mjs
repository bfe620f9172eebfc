// Bundles the executable: one chunk a role, so that a role loads only its own code, and few files, so that it starts
// fast. Packages with binaries stay outside and are installed as ordinary dependencies.
import { chmodSync, rmSync } from "node:fs";
import { rolldown } from "rolldown";

/** `dependencies` of the published package stay imports; everything else goes into the bundle. */
export async function bundle(entry, outDir, manifest) {
  rmSync(outDir, { recursive: true, force: true });
  const outside = Object.keys(manifest.dependencies);
  const build = await rolldown({
    input: { ripstop: entry },
    platform: "node",
    external: (id) => id.startsWith("node:") || outside.some((name) => id === name || id.startsWith(`${name}/`)),
    logLevel: "warn",
  });
  await build.write({
    dir: outDir,
    format: "esm",
    sourcemap: true,
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js",
    minify: false,
  });
  await build.close();
  chmodSync(`${outDir}/ripstop.js`, 0o755);
}
