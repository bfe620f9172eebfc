// The control plane: store, registry, compile, distribute, authority, api.

export {};
