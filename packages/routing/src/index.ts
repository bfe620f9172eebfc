// Route matching: pure functions of (routes, request).

export {};
