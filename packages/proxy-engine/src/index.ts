// The data plane: accept, identify, detect, route, filter, balance, connect.

export {};
