// The figures as OTLP takes them: the same that /metrics shows, cumulative since their owner started.

import { type HrTime, ValueType } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { type Micros, MICROS_PER_SECOND } from '../../core/index.ts';
import { DURATION_BOUNDS, type Metric } from '../../monitoring/index.ts';

/** Metrics of a moment, and since when their counters count. */
export interface CollectedMetrics {
  readonly startMicros: Micros;
  readonly nowMicros: Micros;
  readonly metrics: readonly Metric[];
}

/** Asks for the metrics whenever they are sent. */
export function metricProducer(collect: () => Promise<CollectedMetrics>, version: string): MetricProducer {
  return {
    async collect() {
      const { startMicros, nowMicros, metrics } = await collect();
      const times = { startTime: hrTime(startMicros), endTime: hrTime(nowMicros) };
      const sent = metrics.filter(({ points }) => points.length > 0).map((metric) => toOtlp(metric, times));
      return {
        // The reader takes its provider's resource.
        resourceMetrics: {
          resource: resourceFromAttributes({}),
          scopeMetrics: [{ scope: { name: 'headrace', version }, metrics: sent }],
        },
        errors: [],
      };
    },
  };
}

type Times = Pick<DataPoint<never>, 'startTime' | 'endTime'>;

function toOtlp(metric: Metric, times: Times): MetricData {
  const { name, unit, help } = metric;
  const descriptor = { name, unit, description: help, valueType: ValueType.DOUBLE };
  const aggregationTemporality = AggregationTemporality.CUMULATIVE;
  switch (metric.kind) {
    case 'histogram':
      return {
        descriptor,
        aggregationTemporality,
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: metric.points.map(({ labels, value: { counts, count, sum } }) => ({
          ...times,
          attributes: labels,
          value: { buckets: { boundaries: [...DURATION_BOUNDS], counts: [...counts] }, count, sum },
        })),
      };
    case 'counter':
      return {
        descriptor,
        aggregationTemporality,
        dataPointType: DataPointType.SUM,
        isMonotonic: true,
        dataPoints: metric.points.map(({ labels, value }) => ({ ...times, attributes: labels, value })),
      };
    case 'gauge':
      return {
        descriptor,
        aggregationTemporality,
        dataPointType: DataPointType.GAUGE,
        dataPoints: metric.points.map(({ labels, value }) => ({ ...times, attributes: labels, value })),
      };
  }
}

const hrTime = (micros: Micros): HrTime => [
  Math.floor(micros / MICROS_PER_SECOND),
  Math.round((micros % MICROS_PER_SECOND) * 1000),
];
