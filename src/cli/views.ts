// `headrace views`: how fresh each view's data is, and what no run covers yet.

import { formatDuration, MICROS_PER_SECOND } from '../core/index.ts';
import type { Aged, ViewStatus } from '../control/index.ts';
import { defineCommand } from './command.ts';
import { formatTable } from './table.ts';

export const viewsCommand = defineCommand({
  usage: 'views',
  summary: 'show how fresh each view’s data is: newest event, last run, and what waits in the logs',
  example: 'headrace views',
  columns: {
    'NEWEST EVENT': 'the newest event that the last run counted',
    'LAST RUN': 'the last run that wrote, and when it finished',
    'LAST LOOK': 'when a run last finished, or found nothing to do',
    'FILES UP TO': 'the boundary: up to it in event time files count, past it pushes; - for none: pushes all count',
    'WAITS FOR A RUN': 'shipped cuts of servers’ logs that no run counts yet; reads count them all the same',
  },
  async run(context) {
    const app = await context.app();
    const { viewStatuses } = await import('../control/index.ts');
    const views = await viewStatuses({
      manifest: (await app.applied()).manifest,
      runs: await app.runs(),
      log: await app.log(),
      store: await app.online(),
      nowMicros: app.clock.nowMicros(),
    });
    const rows = views.map((view) => [
      view.view,
      view.freshness,
      ago(view.newest_event),
      view.last_run === null ? 'never' : `${view.last_run.run}, ${ago(view.last_run.finished)}`,
      ago(view.last_look),
      stateOf(view),
      view.boundary ?? '-',
      waits(view),
    ]);
    return {
      json: { views },
      text: formatTable([HEAD, ...rows]) + [...failures(views), ...clocksAhead(views)].join(''),
    };
  },
});

const HEAD = ['VIEW', 'FRESHNESS', 'NEWEST EVENT', 'LAST RUN', 'LAST LOOK', 'NOW', 'FILES UP TO', 'WAITS FOR A RUN'];

/** Less is told by clocks that are right, read one after the other. */
const AHEAD_SECONDS = 60;

function clocksAhead(views: readonly ViewStatus[]): string[] {
  const writers = new Map(views.flatMap(({ coverage }) => coverage.map((one) => [one.writer, one])));
  return [...writers.values()]
    .filter((one) => one.state === 'open' && one.clock_ahead_seconds >= AHEAD_SECONDS)
    .map(({ writer, machine, clock_ahead_seconds: seconds }) => {
      const ahead = formatDuration(seconds * MICROS_PER_SECOND);
      return `\nThe clock of writer ${writer} on ${machine} is ${ahead} ahead of this one: once a run counts its events, they are read only when that time comes.`;
    });
}

function ago(aged: Aged | null): string {
  return aged === null ? '-' : `${formatDuration(aged.age_seconds * MICROS_PER_SECOND)} ago`;
}

function stateOf({ running, failed }: ViewStatus): string {
  if (running?.state === 'asked') return `run ${running.run} has asked, and waits its turn`;
  if (running !== null) return `run ${running.run} writes`;
  return failed === null ? 'idle' : `run ${failed.run} failed`;
}

// Below the table: an error may be long.
function failures(views: readonly ViewStatus[]): string[] {
  return views.flatMap(({ view, failed }) =>
    failed === null ? [] : [`\nRun ${failed.run} of ${view} failed: ${failed.error}`],
  );
}

function waits({ coverage }: ViewStatus): string {
  const waiting = coverage.filter((writer) => writer.waiting > 0);
  if (waiting.length === 0) return 'nothing';
  return waiting
    .map(
      ({ writer, machine, waiting: cuts }) => `writer ${writer} on ${machine}: ${cuts} ${cuts === 1 ? 'cut' : 'cuts'}`,
    )
    .join(', ');
}
