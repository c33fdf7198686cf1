export { loadConfig, maskCredentials, type ConfigSources, type LoadedConfig } from './config.js';
export { CONFIG_FILE_ENV, configKeys, ENV_PREFIX, envNameOf, type ConfigKey, type ConfigKind } from './config-keys.js';
export { ServiceError } from './errors.js';
export { createReadiness, type Readiness, type ReadinessState } from './health.js';
export { hostConfigShape } from './host-config.js';
export { runService, type ReadyInfo, type ServiceOptions, type ServiceProcess, type StopReason } from './lifecycle.js';
export {
  createLogFormatter,
  createLogger,
  LOG_LEVELS,
  taskLogger,
  type LoggerOptions,
  type LogLevel,
  type TaskContext,
} from './logger.js';
export {
  countLimits,
  createMetrics,
  type GaugeOptions,
  type HistogramOptions,
  type MetricOptions,
  type Metrics,
  type MetricUnit,
} from './metrics.js';
export { natsUnreachable } from './nats-wait.js';
export { serviceMain } from './service-main.js';
export {
  NO_TRACING,
  startTracing,
  traceparentFrom,
  type SpanFacts,
  type SpanStart,
  type TraceSpan,
  type Tracing,
} from './tracing.js';
export { createOpsHandler, OPS_PATHS, startOpsServer, type OpsHandler, type OpsServer } from './ops-server.js';
