// Whether telemetry is sent at all, and where to: by our settings, else by OpenTelemetry's own variables.

import { expect, it } from 'vitest';
import { checkConfig } from '../../src/app/index.ts';
import { telemetrySettings } from '../../src/app/telemetry/telemetry-settings.ts';

const asked = (written: object, variables: Readonly<Record<string, string>> = {}) =>
  telemetrySettings(checkConfig({ project: 'p', ...written }, '/p/headrace.config.ts', variables).values, {
    variables,
  });

it('is off until somebody asks for it', () => {
  expect(asked({})).toBeUndefined();
  expect(
    asked({ telemetry: { sampleRatio: 1 } }, { OTEL_SERVICE_NAME: 'shop', OTEL_EXPORTER_OTLP_ENDPOINT: '' }),
  ).toBeUndefined();
});

it('goes where the setting says, else where OpenTelemetry’s variables say', () => {
  expect(asked({ telemetry: { otlp: 'http://collector:4318/' } })).toEqual({
    endpoint: 'http://collector:4318',
    sampleRatio: 0.01,
    metricsEveryMs: 60_000,
    project: 'p',
  });
  expect(asked({}, { HEADRACE_TELEMETRY_OTLP: 'https://c/otlp' })?.endpoint).toBe('https://c/otlp');
  for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'])
    expect(asked({}, { [name]: 'http://c' })).toMatchObject({ endpoint: undefined, sampleRatio: 0.01 });
});

it('leaves sampling to OTEL_TRACES_SAMPLER where that is set', () => {
  const sampler = { OTEL_TRACES_SAMPLER: 'always_on' };
  expect(asked({ telemetry: { otlp: 'http://c' } }, sampler)?.sampleRatio).toBeUndefined();
});

it('refuses an address that is none, without showing it', () => {
  expect(() => asked({ telemetry: { otlp: 'http://user:s3cret@' } })).toThrow(
    'telemetry.otlp expected an address such as "http://127.0.0.1:4318", got one that is none.',
  );
});
