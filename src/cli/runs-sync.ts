// `headrace runs sync`: makes rows of the results of runs that other systems drive.

import { counted } from '../core/index.ts';
import { defineCommand, textOption, usageError } from './command.ts';
import { untilInterrupted } from './run.ts';
import { describeSynced, exitCodeOfSync, presentSynced } from './sync-result.ts';

const STATES = ['succeeded', 'failed', 'cancelled'] as const;

export const sync = defineCommand({
  usage: 'sync [id]',
  summary: 'make rows of the results of a run that another system drives, or of all such runs that are not over',
  example:
    'headrace runs sync 20261125-031500-9f3a61 --json\nheadrace runs sync\nheadrace runs sync nightly-42 --ended failed --reason "given up after the third try"',
  exitCodes: {
    0: 'all that lies there is in the rows',
    1: 'something of it can be none, as the problems say; the rows have the rest',
  },
  notes:
    'Results lie in the artifact store, under runs/<id>/. It can be done at any time and any number of times, while the run goes on too,\nand tells which steps can be run next. A run that the registry does not know is made from its run.json.',
  options: (command) =>
    command
      .option(
        '--ended <state>',
        `the system that drives it has ended: ${STATES.join(', ')}; what has no result never will`,
      )
      .option('--reason <sentence>', 'why it ended, for --ended failed'),
  async run(context, [id], options) {
    const ended = readEnded(id, textOption(options, 'ended'), textOption(options, 'reason'));
    const { openSync } = await import('../app/index.ts');
    const { syncRun, syncRuns } = await import('../orchestrator/index.ts');
    const app = await context.app();
    return await untilInterrupted(async (signal) => {
      const deps = await openSync(app, { signal, onWait: context.tell });
      if (id !== undefined) {
        const run = await syncRun(deps, id, ended === undefined ? {} : { ended });
        return { json: presentSynced(run), text: describeSynced(run), exitCode: exitCodeOfSync(run) };
      }
      const { runs, failed } = await syncRuns(deps);
      const isWhole = failed.length === 0 && runs.every(({ problemCount }) => problemCount === 0);
      return {
        json: { runs: runs.map(presentSynced), failed },
        text: [
          ...runs.map(describeSynced),
          ...failed.map((one) => `run ${one.id} can't be synced: ${one.code}: ${one.reason}`),
          `${counted(runs.length, 'run')} synced.`,
        ].join('\n'),
        exitCode: isWhole ? 0 : 1,
      };
    });
  },
});

function readEnded(id: string | undefined, state: string | undefined, reason: string | undefined) {
  if (state === undefined) {
    if (reason !== undefined) throw usageError('--reason goes with --ended, which says how the run ended.');
    return undefined;
  }
  const known = STATES.find((one) => one === state);
  if (known === undefined) throw usageError(`--ended takes ${STATES.join(', ')}, got "${state.slice(0, 80)}".`);
  if (id === undefined) throw usageError('--ended is of one run: name it.');
  if (reason !== undefined && (reason === '' || reason.length > 10_000))
    throw usageError('--reason takes a sentence of 1 to 10,000 characters.');
  return { state: known, reason: reason ?? null };
}
