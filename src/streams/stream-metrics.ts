// How far behind a consumer is and what it did, for Prometheus.

import { Counter, Gauge, Registry } from 'prom-client';
import type { ConsumeProgress } from './consume.ts';

export interface StreamMetrics {
  set(progress: ConsumeProgress): void;
  /** In Prometheus' text format. */
  text(): Promise<string>;
}

export function createStreamMetrics(source: string, topic: string): StreamMetrics {
  const registry = new Registry();
  registry.setDefaultLabels({ source, topic });
  const registers = [registry];
  const lag = new Gauge({
    name: 'headrace_stream_lag',
    help: 'Messages of a partition that are not pushed yet.',
    labelNames: ['partition'],
    registers,
  });
  const position = new Gauge({
    name: 'headrace_stream_position',
    help: 'Offset up to which a partition is pushed.',
    labelNames: ['partition'],
    registers,
  });
  const rows = new Counter({ name: 'headrace_stream_rows_total', help: 'Rows pushed.', registers });
  const dead = new Counter({
    name: 'headrace_stream_dead_letters_total',
    help: 'Messages set aside as dead letters.',
    registers,
  });
  let last = { pushed: 0, dead: 0 };
  return {
    set(progress) {
      // Partitions that went to others are not told of any more.
      lag.reset();
      position.reset();
      for (const one of progress.partitions) {
        lag.set({ partition: one.partition }, one.lag);
        position.set({ partition: one.partition }, one.position);
      }
      rows.inc(progress.pushed - last.pushed);
      dead.inc(progress.dead - last.dead);
      last = progress;
    },
    text: () => registry.metrics(),
  };
}
