// What looks into a running proxy. Apart from the rest, so that a proxy loads it after it serves.

export { startAdmin, startMetrics, type AdminOptions, type AdminServer, type MetricsOptions } from "./admin-server.ts";
export { answerQuestion, type Answering, type AskOthers, type WorkerAnswer } from "./worker-answers.ts";
