// Schedules and those who look, in Prometheus' text format: the same wherever it is scraped, since it is the registry's.

import { Counter, Gauge, Registry } from 'prom-client';
import { MICROS_PER_SECOND } from '../core/index.ts';
import type { ShownSchedule, ShownSchedules } from '../orchestrator/index.ts';

export function scheduleMetrics({ nowMicros, schedulers, schedules }: ShownSchedules): Promise<string> {
  const registry = new Registry();
  const registers = [registry];
  const looking = schedulers.filter(({ isSilent }) => !isSilent);
  new Gauge({
    name: 'headrace_schedulers',
    help: 'Schedulers that told within 30 s that they look.',
    registers,
  }).set(looking.length);
  const gauge = (name: string, help: string, valueOf: (one: ShownSchedule) => number | undefined): void => {
    const metric = new Gauge({ name: `headrace_schedule_${name}`, help, labelNames: ['pipeline'], registers });
    for (const one of schedules) {
      const value = valueOf(one);
      if (value !== undefined) metric.set({ pipeline: one.name }, value);
    }
  };
  const counter = (name: string, help: string, count: keyof ShownSchedule['counts']): void => {
    const metric = new Counter({ name: `headrace_schedule_${name}_total`, help, labelNames: ['pipeline'], registers });
    for (const { name: pipeline, counts } of schedules) metric.inc({ pipeline }, counts[count]);
  };
  gauge('last_tick_seconds', 'The latest time or trigger that has a run, as a Unix time.', ({ runs: [last] }) =>
    last === undefined ? undefined : (last.tickMicros ?? last.createdAtMicros) / MICROS_PER_SECOND,
  );
  gauge('next_tick_seconds', 'The next time of the schedule, as a Unix time.', ({ next: [next] }) =>
    next === undefined ? undefined : next / MICROS_PER_SECOND,
  );
  gauge('owed_seconds', 'Since when a time is due that no scheduler has looked at; 0 where none is.', (one) =>
    one.schedule === null ? undefined : one.owedSince === null ? 0 : (nowMicros - one.owedSince) / MICROS_PER_SECOND,
  );
  gauge('blocked', '1 while a scheduler can make no run of it; `headrace schedules` says why.', ({ name }) =>
    looking.some(({ failures }) => failures.some(({ pipeline }) => pipeline === name)) ? 1 : 0,
  );
  gauge('last_run_failed', '1 when the run of the latest time or trigger failed.', ({ runs: [last] }) =>
    last === undefined ? undefined : last.state === 'failed' ? 1 : 0,
  );
  counter('runs', 'Runs that schedules and triggers made.', 'made');
  counter('late_runs', 'Those of them whose time was more than a minute ago.', 'late');
  counter('left_out', 'Times without a run, since nobody was there for them, by `catchUp`.', 'leftOut');
  counter('skipped_runs', "Runs that had no room, by `overlap: 'skip'`.", 'skipped');
  counter('failed_runs', 'Runs of schedules and triggers that failed under a scheduler.', 'failed');
  return registry.metrics();
}
