// OpenTelemetry's SDK, set up once in a process. This file is imported only where telemetry is asked for: it loads for half a
// second.

import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { context, diag, DiagLogLevel, metrics, propagation, trace } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { defaultResource, envDetector, type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { BatchSpanProcessor, ParentBasedSampler, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace';
import { type Logger, messageOf } from '../../core/index.ts';
import type { Tracing } from '../../monitoring/index.ts';
import { createTracing } from './create-tracing.ts';
import { type CollectedMetrics, metricProducer } from './otlp-metrics.ts';
import type { TelemetrySettings } from './telemetry-settings.ts';

export interface StartTelemetry {
  readonly settings: TelemetrySettings;
  /** Of Headrace. */
  readonly version: string;
  /** Whether this process sends spans: those that serve do. */
  readonly hasSpans: boolean;
  /** The figures to send; left out where another process owns them. */
  readonly collect?: (() => Promise<CollectedMetrics>) | undefined;
  readonly logger: Logger;
}

/** From now on spans and metrics are sent, until `shutdown`. One at a time in a process. */
export function startTelemetry({ settings, version, hasSpans, collect, logger }: StartTelemetry): Tracing {
  const { endpoint, sampleRatio, metricsEveryMs } = settings;
  const at = (signal: string): { readonly url?: string } =>
    endpoint === undefined ? {} : { url: `${endpoint}/v1/${signal}` };
  diag.setLogger(quietly(logger), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
  const sdk = new NodeSDK({
    resource: resourceOf(settings, version),
    resourceDetectors: [envDetector],
    spanProcessors: hasSpans ? [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(at('traces')) })] : [],
    ...(sampleRatio === undefined
      ? {}
      : { sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampleRatio) }) }),
    metricReaders:
      collect === undefined
        ? []
        : [
            new PeriodicExportingMetricReader({
              exporter: new OTLPMetricExporter(at('metrics')),
              exportIntervalMillis: metricsEveryMs,
              exportTimeoutMillis: Math.min(metricsEveryMs, EXPORT_LIMIT_MS),
              metricProducers: [metricProducer(collect, version)],
            }),
          ],
    // Ours go to stderr, by pino.
    logRecordProcessors: [],
    instrumentations: [],
  });
  sdk.start();
  return createTracing(trace.getTracer('headrace', version), async () => {
    try {
      await sdk.shutdown();
    } catch (thrown) {
      logger.warn({ reason: messageOf(thrown) }, 'the last spans and metrics could not be sent');
    }
    // So that the process could start it again.
    for (const api of [trace, metrics, context, propagation, diag]) api.disable();
  });
}

const EXPORT_LIMIT_MS = 10_000;

// OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over these.
function resourceOf({ project }: TelemetrySettings, version: string): Resource {
  return defaultResource().merge(
    resourceFromAttributes({
      'service.name': 'headrace',
      'service.namespace': project,
      'service.version': version,
      'service.instance.id': randomUUID(),
      'host.name': hostname(),
      'process.pid': process.pid,
    }),
  );
}

const TELL_AGAIN_MS = 60_000;
const TOLD_CHARACTERS = 200;

/** A collector that is away is told of once a minute, not at each export. */
function quietly(logger: Logger): Parameters<typeof diag.setLogger>[0] {
  let toldAt = -Infinity;
  const tell = (message: string): void => {
    if (performance.now() - toldAt < TELL_AGAIN_MS) return;
    toldAt = performance.now();
    logger.warn({ reason: message.slice(0, TOLD_CHARACTERS) }, 'spans or metrics could not be sent');
  };
  const ignore = (): void => {};
  return { error: tell, warn: tell, info: ignore, debug: ignore, verbose: ignore };
}
