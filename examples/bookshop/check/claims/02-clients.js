// Programs of our own join the mesh, one as a shopper, one as a thief.
export const title = "programs join the running mesh";
export const needed = true;

export async function run(context) {
  const startMs = performance.now();
  context.shopper = await context.mesh.prober("shopper");
  const one = performance.now() - startMs;
  context.thief = await context.mesh.prober("thief");
  return `the first in ${Math.round(one)} ms`;
}
