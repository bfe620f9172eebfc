// Bundles the executable: one chunk a role, so that a role loads only its own code, and few files, so that it starts
// fast. What the published package names as a dependency stays outside.
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";

/** `dependencies` of the published package stay imports; everything else goes into the bundle, with its licences. */
export async function bundle(entry, outDir, manifest) {
  rmSync(outDir, { recursive: true, force: true });
  const outside = Object.keys(manifest.dependencies);
  const build = await rolldown({
    input: { ripstop: entry },
    platform: "node",
    external: (id) => id.startsWith("node:") || outside.some((name) => id === name || id.startsWith(`${name}/`)),
    logLevel: "warn",
  });
  const { output } = await build.write({
    dir: outDir,
    format: "esm",
    sourcemap: true,
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js",
    minify: false,
  });
  await build.close();
  writeFileSync(join(outDir, "THIRD-PARTY-LICENSES.txt"), licences(output.flatMap((chunk) => chunk.moduleIds ?? [])));
  chmodSync(`${outDir}/ripstop.js`, 0o755);
}

/** The licence texts of the npm packages that modules come from. Throws when a package has none to show. */
function licences(modules) {
  const folders = new Set();
  for (const module of modules) {
    const match = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(module);
    if (match && !match[1].includes("/node_modules/@ripstop/")) folders.add(match[1]);
  }
  return [...folders]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice)/i.test(file));
      if (files.length === 0 && license === undefined) throw new Error(`${name} has no licence: it may not be bundled`);
      const texts = files
        .filter((file) => existsSync(join(folder, file)))
        .map((file) => readFileSync(join(folder, file), "utf8"));
      return `${name} ${version} (${license})\n\n${texts.join("\n")}\n`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}
