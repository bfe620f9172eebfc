// Program: writes every generated file, or those of the generators that are named (generate/index.ts).

import { write } from "./generate/generated.ts";
import { generators } from "./generate/index.ts";

const wanted = process.argv.slice(2);
for (const [name, generate] of Object.entries(generators)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const generated = await generate();
  const touched = write(generated);
  for (const path of touched) process.stdout.write(`wrote ${path}\n`);
  for (const problem of generated.problems) process.stderr.write(`${problem}\n`);
  if (generated.problems.length > 0) process.exitCode = 1;
  if (touched.length === 0) process.stdout.write(`${name}: ${generated.files.length} files are up to date\n`);
}
for (const name of wanted) {
  if (Object.hasOwn(generators, name)) continue;
  process.stderr.write(`there is no generator ${name}; there are ${Object.keys(generators).join(", ")}\n`);
  process.exitCode = 1;
}
