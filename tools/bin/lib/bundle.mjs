// Bundles the executable: one chunk a role, so that a role loads only its own code, and few files, so that it starts
// fast. What the published package names as a dependency stays outside.
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
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
    plugins: [{ name: "lean-builtins", renderChunk: (code) => ({ code: leanBuiltins(code), map: null }) }],
  });
  const { output } = await build.write({
    dir: outDir,
    format: "esm",
    sourcemap: true,
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name]-[hash].js",
    minify,
  });
  await build.close();
  // Two builds: together they would share chunks, and the data plane is one file.
  for (const name of ["proxy-main", "proxy-start"])
    output.push(...(await bundleProxy(join(dirname(entry), `${name}.js`), name.replace("-main", ""), outDir)));
  mustBeOneByte(output);
  writeFileSync(join(outDir, "THIRD-PARTY-LICENSES.txt"), licences(output.flatMap((chunk) => chunk.moduleIds ?? [])));
  chmodSync(`${outDir}/ripstop.js`, 0o755);
}

// Names stay, so that stack traces and profiles can be read.
const minify = { compress: true, mangle: false, codegen: { removeWhitespace: true } };

/** In the data plane, whose text stays in each proxy's memory, names of variables go: neither of the two shows them. */
const minifyProxy = {
  ...minify,
  compress: { keepNames: { function: true, class: true } },
  mangle: { toplevel: false, keepNames: true },
};

/** Stands for the # of a private member while the code is minified, which would shorten the names of private methods too. */
const PRIVATE = "\u00aa";

/** A part of the data plane alone, as one CommonJS file: it starts without Node's loader of modules. */
async function bundleProxy(entry, name, outDir) {
  const build = await rolldown({
    input: { [name]: entry },
    platform: "node",
    // One file, also when it exports something itself.
    preserveEntrySignatures: "allow-extension",
    external: (id) => id.startsWith("node:"),
    logLevel: "warn",
    plugins: [{ name: "private-names", renderChunk: (code) => ({ code: hidePrivate(code), map: null }) }],
  });
  const { output } = await build.write({
    dir: outDir,
    format: "cjs",
    sourcemap: true,
    entryFileNames: "[name].cjs",
    chunkFileNames: "chunks/proxy-[name]-[hash].cjs",
    minify: minifyProxy,
  });
  await build.close();
  for (const { fileName } of output.filter(({ type }) => type === "chunk")) {
    const file = join(outDir, fileName);
    const code = readFileSync(file, "utf8");
    if (!fileName.startsWith("chunks/") && /\bimport\(/.test(code))
      throw new Error(`${fileName} imports while it runs, which a script from a cache cannot`);
    if (/\\(xaa|u00aa|u\{aa\})/i.test(code)) throw new Error(`${fileName} holds private names in a form that stays`);
    writeFileSync(file, code.replaceAll(PRIVATE, "#"));
  }
  return output;
}

/**
 * Takes Node's own modules as objects. An ES import of one reads every export that it has, and so loads what stands
 * behind each lazy one: Web Crypto, workers, readline and others, 1.5 to 2 MB that no proxy uses.
 */
function leanBuiltins(code) {
  return code.replace(/^import \{([^}]*)\} from "(node:[^"]+)";$/gm, (_, names, id) => {
    return `const {${names.replace(/ as /g, ": ")}} = process.getBuiltinModule("${id}");`;
  });
}

/** As many characters as before, so that the source map stays right. */
function hidePrivate(code) {
  if (code.includes(PRIVATE) || /#\w+ in /.test(code))
    throw new Error("the bundle holds what private names cannot pass");
  return code.replace(/#(?=[A-Za-z])/g, PRIVATE);
}

/** V8 keeps a chunk in memory, at two bytes a character as soon as one character is beyond Latin-1. */
function mustBeOneByte(output) {
  for (const { fileName, code } of output.filter(({ type }) => type === "chunk")) {
    const found = /^(chunks\/)?proxy[-.]/.test(fileName) && [...code].find((character) => character > "\u00ff");
    if (found) throw new Error(`the proxy's code has the character ${found}: write it in Latin-1`);
  }
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
