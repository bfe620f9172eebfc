// The host side: registers workloads, keeps their SVIDs, supervises proxy and application.

export {};
