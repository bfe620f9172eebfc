// From the data-plane model to what balancing works with: pickers, settings, ejection. Defaults are filled in here.

import {
  LeastRequestPicker,
  MaglevPicker,
  PeakEwmaPicker,
  RingHashPicker,
  RoundRobinPicker,
  WeightedPicker,
  type BalanceSettings,
  type OutlierOptions,
  type Picker,
  type RandomSource,
} from "@ripstop/balance";
import { LoadBalancing_Algorithm, type LoadBalancing, type Locality, type Service } from "@ripstop/model";

const DEFAULT_EJECT_AFTER = 5;
const DEFAULT_EJECT_BASE_MS = 10_000;
const DEFAULT_EJECT_MAX_MS = 300_000;
const DEFAULT_EJECT_PERCENT = 50;
const DEFAULT_COMPARE_MS = 10_000;
const DEFAULT_COMPARE_REQUESTS = 20;
const DEFAULT_MAX_INFLIGHT = 100;
const DEFAULT_TARGET_PERCENT = 80;

/** Makes the pickers that a service wants. An algorithm that this version does not know is the default one. */
export function pickerFactory(balancing: LoadBalancing | undefined, random: RandomSource): () => Picker {
  switch (balancing?.algorithm) {
    case LoadBalancing_Algorithm.ROUND_ROBIN:
      return () => new RoundRobinPicker();
    case LoadBalancing_Algorithm.RANDOM:
      return () => new WeightedPicker(random);
    case LoadBalancing_Algorithm.LEAST_REQUEST:
      return () => new LeastRequestPicker(random);
    case LoadBalancing_Algorithm.RING_HASH: {
      const { maxLoadPercent } = balancing;
      return () => new RingHashPicker(maxLoadPercent === 0 ? Infinity : Math.max(101, maxLoadPercent) / 100);
    }
    case LoadBalancing_Algorithm.MAGLEV:
      return () => new MaglevPicker();
    default:
      return () => new PeakEwmaPicker(random);
  }
}

/** The settings of a service for a caller at `own`. */
export function balanceSettings(balancing: LoadBalancing | undefined, own: Locality | undefined): BalanceSettings {
  if (balancing === undefined) return {};
  const { locality, slowStart, panicPercent, adaptiveWeights, subset } = balancing;
  return {
    panicShare: panicPercent / 100,
    adaptive: adaptiveWeights,
    strictSubsets: subset?.strict ?? false,
    ...(slowStart === undefined
      ? {}
      : { slowStart: { windowMs: slowStart.windowMs, aggression: (slowStart.aggressionPercent || 100) / 100 } }),
    ...(locality === undefined || own === undefined
      ? {}
      : {
          locality: {
            region: own.region,
            zone: own.zone,
            maxInflight: locality.maxRequestsPerEndpoint || DEFAULT_MAX_INFLIGHT,
            targetUtilization: (locality.targetUtilizationPercent || DEFAULT_TARGET_PERCENT) / 100,
          },
        }),
  };
}

/** When an endpoint of the service is ejected. */
export function outlierOptions(service: Service | undefined): OutlierOptions {
  const resilience = service?.resilience;
  const outliers = service?.loadBalancing?.outliers;
  const afterFailures = outliers?.consecutiveFailures || resilience?.ejectAfterFailures || DEFAULT_EJECT_AFTER;
  const successRate = (outliers?.successRateFactorPercent ?? 0) / 100;
  const latency = (outliers?.latencyFactorPercent ?? 0) / 100;
  return {
    afterFailures,
    afterConnectFailures: outliers?.consecutiveConnectFailures || afterFailures,
    baseMs: outliers?.baseEjectionMs || resilience?.ejectBaseMs || DEFAULT_EJECT_BASE_MS,
    maxMs: outliers?.maxEjectionMs || DEFAULT_EJECT_MAX_MS,
    maxShare: (outliers?.maxEjectionPercent || DEFAULT_EJECT_PERCENT) / 100,
    ...(successRate === 0 && latency === 0
      ? {}
      : {
          statistics: {
            intervalMs: outliers?.intervalMs || DEFAULT_COMPARE_MS,
            minRequests: outliers?.minRequests || DEFAULT_COMPARE_REQUESTS,
            ...(successRate === 0 ? {} : { successRateFactor: successRate }),
            ...(latency === 0 ? {} : { latencyFactor: latency }),
          },
        }),
  };
}
