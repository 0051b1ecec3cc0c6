// When a pipeline runs: its schedule, what else starts it, and what becomes of runs that meet.

import type { Micros } from '../../core/index.ts';
import type { AuthoredPipeline } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import { type Trigger, triggerOf } from '../authoring/trigger.ts';
import { describeResult } from '../calling/user-value.ts';
import type { PipelineSpec, TriggerSpec } from '../pipeline-spec.ts';
import { expectKind } from './collect.ts';
import { nameOf } from './compile-members.ts';
import { checkSchedule } from './compile-times.ts';
import { duration } from './duration.ts';
import { describeAuthored, type Mistakes } from './mistakes.ts';
import { oneOf } from './numbers.ts';

type Times = Pick<PipelineSpec, 'schedule' | 'timezone' | 'catchUp' | 'concurrency' | 'overlap' | 'on'>;

/** Each member is left out where it is the default. */
export function compileTimes(pipeline: AuthoredPipeline, mistakes: Mistakes): Times {
  checkSchedule(pipeline, mistakes);
  const { schedule, timezone, catchUp = 'latest', overlap = 'queue' } = pipeline;
  oneOf(pipeline, 'catchUp', catchUp, ['latest', 'all', 'none'], [1, 'catchUp'], mistakes);
  oneOf(pipeline, 'overlap', overlap, ['skip', 'queue', 'cancel'], [1, 'overlap'], mistakes);
  // Who says what becomes of runs that meet means runs that go on one at a time.
  const { concurrency = pipeline.overlap === undefined ? undefined : 1 } = pipeline;
  const isCount = typeof concurrency === 'number' && Number.isSafeInteger(concurrency) && concurrency >= 1;
  if (concurrency !== undefined && !isCount) {
    const came = describeResult(concurrency);
    mistakes.add(pipeline, `concurrency must be a whole number of 1 or more, got ${came}`, [1, 'concurrency']);
  }
  const on = compileTriggers(pipeline, mistakes);
  return {
    ...(schedule === undefined ? {} : { schedule }),
    ...(timezone === undefined ? {} : { timezone }),
    ...(catchUp === 'all' || catchUp === 'none' ? { catchUp } : {}),
    ...(isCount ? { concurrency } : {}),
    ...(overlap === 'skip' || overlap === 'cancel' ? { overlap } : {}),
    ...(on.length === 0 ? {} : { on }),
  };
}

function compileTriggers(pipeline: AuthoredPipeline, mistakes: Mistakes): readonly TriggerSpec[] {
  const { on } = pipeline;
  if (on !== undefined && !Array.isArray(on)) {
    const came = describeResult(on);
    mistakes.add(pipeline, `on must be an array of triggers: [materialized(view)], got ${came}`, [1, 'on']);
  }
  const written: readonly unknown[] = Array.isArray(on) ? on : [];
  return written.flatMap((given, i): TriggerSpec[] => {
    const at = [1, 'on', i];
    const one = triggerOf(given);
    const { kind, of } = one?.trigger ?? {};
    const object = (what: 'view' | 'source' | 'endpoint'): string =>
      nameOf(expectKind(of, what, pipeline, `what ${kind}(…) names`, [...at, 0], mistakes));
    switch (kind) {
      case 'materialized':
        return [{ kind, view: object('view') }];
      case 'pushed':
        return [{ kind, source: object('source'), ...compileEvery(pipeline, one, at, mistakes) }];
      case 'drift':
        return [{ kind, endpoint: object('endpoint') }];
      default:
        mistakes.add(
          pipeline,
          `on takes materialized(view), pushed(source) and drift(endpoint), got ${describeAuthored(given)}`,
          at,
        );
        return [];
    }
  });
}

function compileEvery(
  pipeline: AuthoredPipeline,
  trigger: Trigger | undefined,
  at: Path,
  mistakes: Mistakes,
): { readonly everyMicros?: Micros } {
  const { every, slips = [] } = trigger?.trigger ?? {};
  mistakes.addSlips(
    pipeline,
    slips.map((slip) => ({ ...slip, path: [...at, ...slip.path] })),
  );
  if (every === undefined) return {};
  return { everyMicros: duration(pipeline, 'every', every, true, [...at, 1, 'every'], mistakes) };
}
