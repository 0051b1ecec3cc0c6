// `headrace schedules`: what runs when, what came of the last times, what was left out, and whether a scheduler looks.

import { counted, formatTimestamp, type Micros, MICROS_PER_MINUTE, MICROS_PER_SECOND } from '../core/index.ts';
import type { RunSummary, ShownSchedule, ShownSchedules, ShownTrigger } from '../orchestrator/index.ts';
import { defineCommand } from './command.ts';
import { presentSummary } from './run.ts';
import { formatTable } from './table.ts';

type LocalTime = (timezone: string, at: Micros) => string;

const OF_ALL = { runs: 1, next: 1 };
const OF_ONE = { runs: 10, next: 5 };

export const schedulesCommand = defineCommand({
  usage: 'schedules [name]',
  summary:
    'show what runs by a schedule or a trigger: its next and last times, what was left out and why, and who looks',
  example: 'headrace schedules\nheadrace schedules daily_sales --json',
  columns: {
    WHEN: 'the cron expression with its time zone, or what it follows',
    LAST: 'the latest time or trigger that has a run, and what became of that',
    NEXT: 'as clocks of its time zone show it; `owed since` a time that is due while no scheduler looked at it',
  },
  notes: `With a name it shows the coming times, the last runs with why one was skipped, and the times that have no run because nobody
was there for them (\`catchUp\`). Views with a schedule are \`materialize:VIEW\`, gc is \`headrace:gc\`.`,
  async run(context, [name]) {
    const { openSchedules } = await import('../app/index.ts');
    const { localTime, showSchedules } = await import('../orchestrator/index.ts');
    const deps = await openSchedules(await context.app('read'));
    const wanted = name === undefined ? OF_ALL : OF_ONE;
    const shown = await showSchedules(deps, { ...wanted, name });
    const [only] = shown.schedules;
    const text = name === undefined || only === undefined ? describeAll(shown, localTime) : describe(only, localTime);
    const failures = describeFailures(shown, name);
    return { json: present(shown, localTime), text: [text, ...failures, describeSchedulers(shown)].join('\n') };
  },
});

function describeAll({ schedules }: ShownSchedules, localTime: LocalTime): string {
  const rows = schedules.map((one) => {
    const [last] = one.runs;
    return [
      one.name,
      whenOf(one),
      last === undefined ? '-' : formatTimestamp(last.tickMicros ?? last.createdAtMicros),
      last?.state ?? '',
      nextOf(one, localTime),
    ];
  });
  return formatTable(
    [['NAME', 'WHEN', 'LAST', 'STATE', 'NEXT'], ...rows],
    'Nothing that is applied has a schedule or a trigger.',
  );
}

function describe(shown: ShownSchedule, localTime: LocalTime): string {
  const { name, schedule, triggers, next, leftOut, counts, runs } = shown;
  const limits = [
    ...(schedule === null ? [] : [`catch-up ${shown.catchUp}`]),
    ...(shown.concurrency === null ? [] : [`at most ${shown.concurrency} at once, further ones: ${shown.overlap}`]),
  ];
  const lines = [
    `${name}: ${[whenOf(shown), ...limits].join('; ')}`,
    ...(shown.isSeen ? [] : ['  No scheduler has seen this schedule: it counts from when one does.']),
    ...(shown.owedSince === null ? [] : [`  owed since ${formatTimestamp(shown.owedSince)}`]),
    ...(next.length === 0 || schedule === null
      ? []
      : [`  next: ${next.map((at) => localTime(schedule.timezone, at)).join(', ')}`]),
    ...triggers.map((trigger) => `  ${describeTrigger(trigger)}`),
    `  made ${counted(counts.made, 'run')}, ${counts.late} of them late; ${counts.skipped} skipped by overlap, ${counts.failed} failed, ${counted(counts.leftOut, 'time')} left out`,
    ...(leftOut === null
      ? []
      : [
          `  left out by catch-up ${shown.catchUp}: ${counted(leftOut.count, 'time')}${leftOut.count === 1000 ? ' or more' : ''} from ${formatTimestamp(leftOut.first)} on, for which nobody was there until ${formatTimestamp(leftOut.at)}`,
        ]),
  ];
  const rows = runs.map((run) => [run.id, causeOf(run), run.state, firstLine(run.error)]);
  return [...lines, formatTable([['RUN', 'FOR', 'STATE', 'WHY'], ...rows], 'It has made no run yet.')].join('\n');
}

function whenOf({ schedule, triggers }: ShownSchedule): string {
  const times = schedule === null ? [] : [`${schedule.cron} ${schedule.timezone}`];
  return [...times, ...triggers.map(({ spec }) => nameOf(spec))].join(', ');
}

function nextOf({ schedule, next: [next], owedSince, isSeen }: ShownSchedule, localTime: LocalTime): string {
  if (schedule === null) return 'when it comes';
  if (owedSince !== null) return `owed since ${formatTimestamp(owedSince)}`;
  if (next === undefined) return 'never again';
  return `${localTime(schedule.timezone, next)}${isSeen ? '' : ', once a scheduler looks'}`;
}

function nameOf(spec: ShownTrigger['spec']): string {
  switch (spec.kind) {
    case 'materialized':
      return `materialized(${spec.view})`;
    case 'drift':
      return `drift(${spec.endpoint})`;
    case 'pushed':
      return `pushed(${spec.source})`;
  }
}

function describeTrigger({ spec, position, answered }: ShownTrigger): string {
  const name = nameOf(spec);
  if (answered === null) return `${name}: no scheduler has seen this trigger: it counts from when one does`;
  if (spec.kind === 'pushed') {
    const every = spec.everyMicros ?? MICROS_PER_MINUTE;
    const waiting = position > answered ? `, ${counted(position - answered, 'row')} wait` : '';
    return `${name}: answered up to row ${answered}${waiting}; a run every ${every / MICROS_PER_SECOND} s at most`;
  }
  const of = (at: number): string => (spec.kind === 'drift' ? formatTimestamp(at) : `run ${at}`);
  if (answered === 0 && position === 0) return `${name}: nothing has come yet`;
  return `${name}: answered up to ${of(answered)}${position > answered ? `, ${of(position)} waits` : ''}`;
}

/** `headrace schedules` alone says what keeps runs from being made, and where. */
function describeFailures({ schedulers }: ShownSchedules, name: string | undefined): readonly string[] {
  return schedulers
    .filter(({ isSilent }) => !isSilent)
    .flatMap(({ machine, pid, failures }) =>
      failures
        .filter(({ pipeline }) => name === undefined || pipeline === name)
        .map(({ pipeline, reason }) => `No run of ${pipeline} can be made by ${machine}/${pid}: ${reason}`),
    );
}

function describeSchedulers({ schedulers }: ShownSchedules): string {
  const looking = schedulers.filter(({ isSilent }) => !isSilent);
  const names = looking.map(({ machine, pid }) => `${machine}/${pid}`).join(', ');
  if (looking.length > 0) return `${counted(looking.length, 'scheduler')}: ${names}`;
  const [last] = schedulers;
  const since =
    last === undefined ? '' : `; the last one was ${last.machine}/${last.pid}, at ${formatTimestamp(last.lookedAt)}`;
  return `No scheduler looks${since}. Start \`headrace scheduler\`, or set scheduler.serve for a server.`;
}

function causeOf({ tickMicros, trigger, createdAtMicros }: RunSummary): string {
  const at = formatTimestamp(tickMicros ?? createdAtMicros);
  return trigger === undefined ? at : `${trigger.kind}(${trigger.of}) at ${at}`;
}

function firstLine(text: string | null): string {
  return text?.split('\n')[0] ?? '';
}

function present({ schedulers, schedules }: ShownSchedules, localTime: LocalTime): object {
  return {
    schedulers: schedulers.map(({ machine, pid, atOnce, since, lookedAt, silentMicros, isSilent, failures }) => ({
      machine,
      pid,
      runs_at_once: atOnce,
      since: formatTimestamp(since),
      looked_at: formatTimestamp(lookedAt),
      silent_seconds: silentMicros / MICROS_PER_SECOND,
      silent: isSilent,
      failures,
    })),
    schedules: schedules.map((one) => ({
      name: one.name,
      schedule: one.schedule?.cron ?? null,
      timezone: one.schedule?.timezone ?? null,
      catch_up: one.catchUp,
      overlap: one.overlap,
      concurrency: one.concurrency,
      on: one.triggers.map(({ spec, position, answered }) => ({ ...presentTrigger(spec), position, answered })),
      seen: one.isSeen,
      next: one.next.map((at) => ({
        at: formatTimestamp(at),
        local: one.schedule === null ? null : localTime(one.schedule.timezone, at),
      })),
      owed_since: one.owedSince === null ? null : formatTimestamp(one.owedSince),
      left_out:
        one.leftOut === null
          ? null
          : {
              count: one.leftOut.count,
              first: formatTimestamp(one.leftOut.first),
              at: formatTimestamp(one.leftOut.at),
            },
      counts: {
        made: one.counts.made,
        late: one.counts.late,
        left_out: one.counts.leftOut,
        skipped: one.counts.skipped,
        failed: one.counts.failed,
      },
      runs: one.runs.map(presentSummary),
    })),
  };
}

function presentTrigger(spec: ShownTrigger['spec']): object {
  if (spec.kind === 'materialized') return { kind: spec.kind, of: spec.view };
  if (spec.kind === 'drift') return { kind: spec.kind, of: spec.endpoint };
  return {
    kind: spec.kind,
    of: spec.source,
    every_seconds: (spec.everyMicros ?? MICROS_PER_MINUTE) / MICROS_PER_SECOND,
  };
}
