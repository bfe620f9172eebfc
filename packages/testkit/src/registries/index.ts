// Registries outside the mesh, for tests of importing from them.

export { TestConsulServer, type ConsulQuestion, type TestConsulInstance } from "./test-consul-server.ts";
export { TestDnsServer, type DnsMood } from "./test-dns-server.ts";
