// Orders: gRPC, one unary call and one that streams.
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const { bookshop } = grpc.loadPackageDefinition(loadSync(fileURLToPath(new URL("orders.proto", import.meta.url))));
let number = 1000;

const server = new grpc.Server();
server.addService(bookshop.Orders.service, {
  Place(call, done) {
    if (!call.request.isbn) return done({ code: grpc.status.INVALID_ARGUMENT, details: "an order needs an isbn" });
    return done(null, { number: `B-${++number}` });
  },
  Follow(call) {
    const steps = ["received", "packed", "sent", "delivered"];
    const next = () => {
      const what = steps.shift();
      if (!what) return call.end();
      call.write({ number: call.request.number, what });
      return setTimeout(next, 20);
    };
    next();
  },
});

server.bindAsync(`127.0.0.1:${process.env.PORT}`, grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
  console.log(`orders listens on ${process.env.PORT}`);
});
process.on("SIGTERM", () => server.tryShutdown(() => process.exit(0)));
