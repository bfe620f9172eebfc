// Keys and certificate signing requests (host side only).

export { createKeyAndCsr, type KeyAndCsr } from "./create-key-and-csr.ts";
