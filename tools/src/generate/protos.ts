// Message types from /proto, and from each policy's config.proto beside it, by buf and ts-proto.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, relative, sep } from "node:path";

import { parse } from "yaml";

import { filesBelow, read, root, type SourceFile } from "../lib/tree.ts";
import type { Generated } from "./generated.ts";

/** One folder of .proto files and where its messages go. */
interface ProtoTree {
  readonly input: string;
  readonly output: string;
  /** Plugin options beyond those of proto/buf.gen.yaml. */
  readonly options: readonly string[];
  /** Which files of the output folder are generated. */
  readonly owns: (path: string) => boolean;
}

const trees: readonly ProtoTree[] = [
  { input: "proto", output: "packages/model/src/generated", options: [], owns: () => true },
  {
    input: "packages/policies/src",
    output: "packages/policies/src",
    options: ["fileSuffix=.gen"],
    owns: (path) => path.endsWith("/config.gen.ts"),
  },
];

/** Generates all message types. Throws when buf finds a .proto file at fault. */
export function generateProtos(): Generated {
  const options = pluginOptions();
  const files: SourceFile[] = [];
  const stale: string[] = [];
  for (const tree of trees) {
    const made = runBuf(tree, [...options, ...tree.options]);
    const paths = new Set(made.map(({ path }) => path));
    files.push(...made);
    stale.push(...filesBelow(tree.output, tree.owns).filter((path) => !paths.has(path)));
  }
  return { files, stale, problems: [] };
}

function pluginOptions(): string[] {
  const config: unknown = parse(read("proto/buf.gen.yaml").text);
  const plugins = (config as { readonly plugins?: readonly { readonly opt?: readonly string[] }[] }).plugins;
  return [...(plugins?.[0]?.opt ?? [])];
}

function runBuf({ input, output }: ProtoTree, options: readonly string[]): SourceFile[] {
  const folder = mkdtempSync(join(tmpdir(), "ripstop-protos-"));
  try {
    const template = JSON.stringify({
      version: "v2",
      plugins: [{ local: "protoc-gen-ts_proto", out: folder, opt: options }],
    });
    const bin = join(root, "node_modules", ".bin");
    const { status, stderr, error } = spawnSync(join(bin, "buf"), ["generate", input, "--template", template], {
      cwd: root,
      encoding: "utf8",
      env: { ...process.env, PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}` },
    });
    if (status !== 0) throw new Error(`buf generate ${input} failed: ${error?.message ?? stderr}`);
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => {
        const made = join(entry.parentPath, entry.name);
        return { path: `${output}/${relative(folder, made).split(sep).join("/")}`, text: readFileSync(made, "utf8") };
      });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
