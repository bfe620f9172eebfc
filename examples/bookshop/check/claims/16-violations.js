// All violations of all files at once, and nothing half applied.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensure } from "../mesh.js";

export const title = "apply reports every violation";

const good =
  "apiVersion: v1\nkind: Service\nmetadata: { name: fine, namespace: shop }\nspec: { selector: { app: fine }, ports: [{ port: 80 }] }\n";
const bad = `apiVersion: v1
kind: Service
metadata: { name: Bad_Name, namespace: shop }
spec: { selector: { app: x }, prots: [{ port: 80 }] }
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: { name: broken, namespace: shop }
spec:
  parentRefs: [{ group: "", kind: Service, name: catalog }]
  rules:
    - backendRefs: [{ name: catalog-v1, port: 80, weight: -1 }]
`;

export async function run({ mesh }) {
  const folder = mkdtempSync(join(tmpdir(), "ripstop-claim-"));
  try {
    writeFileSync(join(folder, "a-good.yaml"), good);
    writeFileSync(join(folder, "b-bad.yaml"), bad);
    const { code, stderr, stdout } = await mesh.cli("apply", folder);
    ensure(code === 3, `it ended with ${code}: ${stdout}${stderr}`);
    const lines = stderr
      .trim()
      .split("\n")
      .filter((line) => /b-bad\.yaml:[0-9]+:[0-9]+ /.test(line));
    ensure(lines.length >= 3, `only ${lines.length} violations with their place:\n${stderr}`);
    ensure(stderr.includes("prots") && stderr.includes("ports"), `no hint for "prots":\n${stderr}`);
    const fine = await mesh.cli("get", "service", "fine", "-n", "shop");
    ensure(fine.code !== 0, "the good file was applied although the other was not");
    return `${lines.length} violations with file, line and column; nothing was applied`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
