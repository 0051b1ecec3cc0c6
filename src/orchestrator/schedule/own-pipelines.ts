// What Headrace itself does by a schedule: a view that is materialized at its times, and gc. Each is a pipeline of one step that
// nobody has written, so that its runs are made, driven, retried, taken over and shown as all others are.

import { MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../../core/index.ts';
import { type Manifest, own, type PipelineSpec, type StepAction, type StepSpec } from '../../definitions/index.ts';

/** A cron expression and an IANA time zone. */
export interface GcSchedule {
  readonly schedule: string;
  readonly timezone: string;
}

type Views = Partial<Pick<Manifest, 'views'>>;

/** No pipeline that is written has a colon in its name. */
const MATERIALIZE = 'materialize:';
export const GC = 'headrace:gc';

/** Those that have a schedule. */
export function ownSchedules({ views = {} }: Views, gc: GcSchedule | undefined): readonly PipelineSpec[] {
  const ofViews = Object.values(views).flatMap(({ name, schedule, timezone, catchUp }) =>
    schedule === undefined
      ? []
      : [
          {
            ...materializeOf(name),
            schedule,
            ...(timezone === undefined ? {} : { timezone }),
            ...(catchUp === undefined ? {} : { catchUp }),
          },
        ],
  );
  return gc === undefined ? ofViews : [...ofViews, { ...collection, ...gc }];
}

/** By its name, whether it has a schedule or not: to be run by hand, or resumed. */
export function ownPipeline({ views = {} }: Views, name: string): PipelineSpec | undefined {
  if (name === GC) return collection;
  const view = name.startsWith(MATERIALIZE) ? name.slice(MATERIALIZE.length) : undefined;
  return view === undefined || own(views, view) === undefined ? undefined : materializeOf(view);
}

function materializeOf(view: string): PipelineSpec {
  return pipelineOf(`${MATERIALIZE}${view}`, 'materialize', { kind: 'materialize', views: [view] });
}

/** What it clears away lies on this machine, too. */
const collection = pipelineOf(GC, 'gc', { kind: 'gc' }, { executor: 'local' });

/** One at a time: the next brings up to date what the one before would have. A failure is tried again after 30 s, 2 and 8 minutes. */
function pipelineOf(name: string, step: string, action: StepAction, more: Partial<StepSpec> = {}): PipelineSpec {
  const delay = { delayMicros: 30 * MICROS_PER_SECOND, factor: 4, maxMicros: 10 * MICROS_PER_MINUTE, jitter: 0.1 };
  const only: StepSpec = {
    name: step,
    action,
    needs: {},
    retry: 3,
    delay,
    timeoutMicros: null,
    resources: {},
    ...more,
  };
  return { name, concurrency: 1, overlap: 'skip', params: [], steps: [only] };
}
