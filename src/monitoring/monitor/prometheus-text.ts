// Metrics in Prometheus' text format (version 0.0.4), named as OpenTelemetry's come out there: dots are underscores, the unit is
// in the name, once, counters end in `_total`.

import { DURATION_BOUNDS, type HistogramValue, type Labels, type Metric } from './metric.ts';

const UNIT_SUFFIXES: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes', 1: '_ratio' };

export function prometheusName({ name, unit, kind }: Pick<Metric, 'name' | 'unit' | 'kind'>): string {
  const suffix = UNIT_SUFFIXES[unit] ?? '';
  return `${name.replaceAll('.', '_')}${name.endsWith(suffix) ? '' : suffix}${kind === 'counter' ? '_total' : ''}`;
}

export function prometheusText(metrics: readonly Metric[]): string {
  let text = '';
  for (const metric of metrics) {
    const name = prometheusName(metric);
    text += `# HELP ${name} ${metric.help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${metric.kind}\n`;
    if (metric.kind === 'histogram')
      for (const { labels, value } of metric.points) text += histogram(name, labels, value);
    else for (const { labels, value } of metric.points) text += line(name, labels, value);
  }
  return text;
}

function histogram(name: string, labels: Labels, { counts, count, sum }: HistogramValue): string {
  let text = '';
  let upTo = 0;
  counts.forEach((inBucket, at) => {
    upTo += inBucket;
    text += line(`${name}_bucket`, { ...labels, le: String(DURATION_BOUNDS[at] ?? '+Inf') }, upTo);
  });
  return text + line(`${name}_sum`, labels, sum) + line(`${name}_count`, labels, count);
}

function line(name: string, labels: Labels, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
  return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
}

const escape = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
