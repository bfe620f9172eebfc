// HTTP/2 codec: bytes to events and back, no sockets (RFC 9113, RFC 7541).

export {};
