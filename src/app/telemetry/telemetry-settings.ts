// Whether traces and metrics are sent by OTLP, and how: from the settings, else from OpenTelemetry's own variables.

import type { Environment } from '../environment.ts';
import type { SettingValues } from '../settings.ts';

export interface TelemetrySettings {
  /** Such as `http://127.0.0.1:4318`; undefined: what OpenTelemetry's variables say. */
  readonly endpoint: string | undefined;
  /** Share of requests that begin a trace; undefined: what OTEL_TRACES_SAMPLER says. */
  readonly sampleRatio: number | undefined;
  readonly metricsEveryMs: number;
  readonly project: string;
}

const ENDPOINTS = [
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT',
];

/** Undefined where nobody asked for it: then nothing of OpenTelemetry is loaded. */
export function telemetrySettings(
  values: SettingValues,
  { variables }: Pick<Environment, 'variables'>,
): TelemetrySettings | undefined {
  const isSet = (name: string): boolean => (variables[name] ?? '') !== '';
  const endpoint = values['telemetry.otlp'];
  if (endpoint === undefined && !ENDPOINTS.some(isSet)) return undefined;
  return {
    endpoint: endpoint?.replace(/\/+$/, ''),
    sampleRatio: isSet('OTEL_TRACES_SAMPLER') ? undefined : values['telemetry.sampleRatio'],
    metricsEveryMs: values['telemetry.metricsEveryMs'],
    project: values.project,
  };
}
