// Builds everything: TypeScript → dist, the dashboard → apps/dashboard/dist, and the one package that users install
// (apps/ripstop/dist/bundle). Incremental: what is up to date is left alone.
import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./lib/setup.mjs";

/** Every file below `folder`, sorted. */
function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

function hashOf(files) {
  const hash = createHash("sha256");
  for (const file of files) hash.update(file).update("\0").update(readFileSync(file));
  return hash.digest("hex");
}

/** Removes compiled files whose source is gone, so that a deleted test does not go on passing. */
function removeStale(folder) {
  const dist = join(folder, "dist");
  for (const file of filesBelow(dist)) {
    if (file.includes(join(dist, "bundle")) || file.includes(join(dist, "dashboard"))) continue;
    const source = file.replace(dist, join(folder, "src")).replace(/\.(js|d\.ts|js\.map)$/, ".ts");
    if (source.endsWith(".ts") && !existsSync(source) && !existsSync(`${source}x`)) rmSync(file);
  }
}

async function must(command, args, options) {
  const code = await run(command, args, options);
  if (code !== 0) process.exit(code);
}

/** Does `work` unless the files that it depends on are as they were at the last time. */
async function whenChanged(stamp, files, work) {
  const wanted = hashOf(files);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  await work();
  writeFileSync(stamp, wanted);
}

const tsc = join(root, "node_modules/typescript/bin/tsc");
for (const group of ["packages", "apps"]) {
  for (const name of readdirSync(join(root, group))) if (name !== "dashboard") removeStale(join(root, group, name));
}
removeStale(join(root, "tools"));
removeStale(join(root, "test"));
removeStale(join(root, "bench"));
await must(process.execPath, [tsc, "-b"]);

const app = join(root, "apps/ripstop");
const dashboard = join(root, "apps/dashboard");
if (existsSync(join(dashboard, "index.html"))) {
  const sources = [
    ...filesBelow(join(dashboard, "src")),
    ...filesBelow(join(dashboard, "public")),
    join(dashboard, "index.html"),
    join(dashboard, "vite.config.js"),
  ];
  await whenChanged(join(root, "node_modules/.ripstop-dashboard"), sources.filter(existsSync), async () => {
    await must(process.execPath, [join(root, "node_modules/vite/bin/vite.js"), "build", "--logLevel", "warn"], {
      cwd: dashboard,
    });
  });
  rmSync(join(app, "dist/dashboard"), { recursive: true, force: true });
  cpSync(join(dashboard, "dist"), join(app, "dist/dashboard"), { recursive: true });
}
const compiled = [];
for (const group of ["packages", "apps"]) {
  for (const name of readdirSync(join(root, group))) {
    compiled.push(
      ...filesBelow(join(root, group, name, "dist")).filter(
        (file) =>
          file.endsWith(".js") &&
          !file.endsWith(".test.js") &&
          !file.includes(join("dist", "bundle")) &&
          !file.includes(join("dist", "dashboard")),
      ),
    );
  }
}
compiled.push(join(root, "tools/bin/build.mjs"), join(root, "tools/bin/lib/bundle.mjs"));
await whenChanged(join(root, "node_modules/.ripstop-bundle"), compiled, async () => {
  const { bundle } = await import("./lib/bundle.mjs");
  await bundle(
    join(app, "dist/main.js"),
    join(app, "dist/bundle"),
    JSON.parse(readFileSync(join(app, "package.json"), "utf8")),
  );
});
if (!existsSync(join(app, "dist/bundle/ripstop.js"))) {
  rmSync(join(root, "node_modules/.ripstop-bundle"), { force: true });
  process.stderr.write("the bundle is missing: run the build again\n");
  process.exit(1);
}
// Beside the program, however it is started (proxy-command.ts).
for (const folder of ["dist", "dist/bundle"])
  cpSync(join(app, "openssl-proxy.cnf"), join(app, folder, "openssl-proxy.cnf"));
// npm links programs when it installs; in a fresh checkout this one was not built yet then.
const links = join(root, "node_modules/.bin");
if (!existsSync(join(links, "ripstop")) && !existsSync(join(links, "ripstop.cmd"))) {
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  await must(npm, ["rebuild", "ripstop", "--ignore-scripts", "--silent"]);
}
