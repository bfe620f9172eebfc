// Keys and certificate signing requests (host side only).

export {};
