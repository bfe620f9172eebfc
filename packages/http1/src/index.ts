// HTTP/1.1 codec: bytes to events and back, no sockets (RFC 9112).

export {};
