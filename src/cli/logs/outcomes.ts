// `headrace logs outcomes ENDPOINT FILE`: many outcomes at once, straight into the log.

import { counted, didYouMeanOf, HeadraceError } from '../../core/index.ts';
import type { App } from '../../app/index.ts';
import { defineCommand } from '../command.ts';
import { readOutcomeFile } from './read-outcome-file.ts';

const BATCH = 10_000;

export const sendOutcomes = defineCommand({
  usage: 'outcomes <endpoint> <file>',
  summary: 'record outcomes from a .jsonl or .parquet file, as POST /v1/endpoints/{endpoint}/outcomes takes them',
  example: 'headrace logs outcomes delay outcomes.jsonl',
  notes:
    'Each has a value, and either prediction_id (and observed_at), or unit and at (and from or within). Nothing is recorded\nwhere one of them is wrong; sent again they change nothing. Guards of a rollout count them with --maturity,\nwhich reads the log; without it they count those alone that servers are sent.',
  async run(context, [endpoint = '', file = '']) {
    const app = await context.app('read');
    const { endpoints } = (await app.applied()).manifest;
    const spec = Object.hasOwn(endpoints, endpoint) ? endpoints[endpoint] : undefined;
    if (spec === undefined) {
      throw new HeadraceError(
        'HR_UNKNOWN_ENDPOINT',
        `there is no endpoint "${endpoint}".${didYouMeanOf('endpoints', endpoint, Object.keys(endpoints))}`,
      );
    }
    const given = await readOutcomeFile(context.path(file), () => app.duckdb());
    const [{ openPredictionLog, parseRedaction }, { readOutcomes }] = await Promise.all([
      import('../../monitoring/index.ts'),
      import('../../serving/index.ts'),
    ]);
    const { values } = app.config;
    const log = openPredictionLog({
      directory: values['predictionLog.path'],
      clock: app.clock,
      logger: app.logger,
      redact: parseRedaction(values['predictionLog.redact']),
    });
    let accepted = 0;
    try {
      const outcomes = readOutcomes(spec, given, log, app.clock.nowMicros());
      accepted = outcomes.length;
      context.progress.start(`record outcomes of ${endpoint}`, accepted, 'outcomes');
      for (let at = 0; at < outcomes.length; at += BATCH) {
        await log.recordOutcomes(outcomes.slice(at, at + BATCH));
        context.progress.advance(Math.min(at + BATCH, outcomes.length));
      }
    } finally {
      await log.close();
    }
    context.progress.done(counted(accepted, 'outcome'));
    const rollout = await rolloutWithout(app, endpoint);
    const note = `Rollout ${rollout} counts nothing of a file: it has no maturity, so its guard on outcomes sees what servers are sent.`;
    return {
      json: { accepted, ...(rollout === undefined ? {} : { notCountedBy: rollout }) },
      text: `${counted(accepted, 'outcome')} of ${endpoint} recorded${rollout === undefined ? '' : `\n${note}`}`,
    };
  },
});

/** Id of the endpoint's rollout that is under way, where what lies in the log weighs nothing for it. */
async function rolloutWithout(app: App, endpoint: string): Promise<string | undefined> {
  const { countsSentOutcomes } = await import('../../rollouts/index.ts');
  // They are recorded, whether or not anybody can be asked.
  const shown = await app
    .rollouts()
    .then((rollouts) => rollouts.list({ endpoint, limit: 1 }))
    .catch(() => []);
  return shown.find(({ rollout }) => rollout.endedMicros === null && countsSentOutcomes(rollout.plan))?.rollout.id;
}
