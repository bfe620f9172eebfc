// The published schemas of the Gateway API v1.6.1 (specs only), made from crds/ by `npm run generate`.

export { backendTlsPolicySchema } from "./backend-tls-policy.gen.ts";
export { gatewayClassSchema } from "./gateway-class.gen.ts";
export { gatewaySchema } from "./gateway.gen.ts";
export { grpcRouteSchema } from "./grpc-route.gen.ts";
export { httpRouteSchema } from "./http-route.gen.ts";
export { listenerSetSchema } from "./listener-set.gen.ts";
export { referenceGrantSchema } from "./reference-grant.gen.ts";
export { tcpRouteSchema } from "./tcp-route.gen.ts";
export { tlsRouteSchema } from "./tls-route.gen.ts";
export { udpRouteSchema } from "./udp-route.gen.ts";
