// `headrace views`: how fresh each view's data is, and what no run covers yet.

import { formatDuration, MICROS_PER_SECOND } from '../core/index.ts';
import type { Aged, ViewStatus } from '../control/index.ts';
import { defineCommand } from './command.ts';
import { formatTable } from './table.ts';

export const viewsCommand = defineCommand({
  usage: 'views',
  summary: 'show how fresh each view’s data is: newest event, last run, and what waits in the logs',
  example: 'headrace views',
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
      stateOf(view),
      view.boundary ?? '-',
      waits(view),
    ]);
    return {
      json: { views },
      text: formatTable([
        ['VIEW', 'FRESHNESS', 'NEWEST EVENT', 'LAST RUN', 'NOW', 'FILES UP TO', 'WAITS FOR A RUN'],
        ...rows,
      ]),
    };
  },
});

function ago(aged: Aged | null): string {
  return aged === null ? '-' : `${formatDuration(aged.age_seconds * MICROS_PER_SECOND)} ago`;
}

function stateOf({ running, failed }: ViewStatus): string {
  if (running !== null) return `run ${running.run} ${running.state === 'asked' ? 'asks the writers' : 'writes'}`;
  return failed === null ? 'idle' : `run ${failed.run} failed: ${failed.error}`;
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
