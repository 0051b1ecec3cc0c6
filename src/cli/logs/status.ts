// `headrace logs status`: how the log's files stand, and which outcomes belong to nothing.

import { formatTimestamp, type Micros } from '../../core/index.ts';
import type { OutcomeCounts, PredictionLogStatus } from '../../monitoring/index.ts';
import { defineCommand } from '../command.ts';
import { formatTable } from '../table.ts';

export const logStatus = defineCommand({
  usage: 'status',
  summary:
    'how the prediction log stands: what waits to become Parquet, what is, what could not be read, and which outcomes belong to no prediction',
  example: 'headrace logs status --json',
  options: (command) => command.option('--files', 'the files alone: outcomes are not looked at'),
  async run(context, _args, options) {
    const app = await context.app('read');
    const { countOutcomes, predictionLogStatus } = await import('../../monitoring/index.ts');
    const directory = app.config.values['predictionLog.path'];
    const found = await predictionLogStatus(directory);
    const outcomes = options['files'] === true ? undefined : await countOutcomes(await app.duckdb(), directory);
    const told = outcomes === undefined ? '' : `\n\n${describeOutcomes(outcomes)}`;
    return {
      json: { ...presentStatus(found), ...(outcomes === undefined ? {} : { told: outcomes }) },
      text: `${describeStatus(found)}${told}`,
    };
  },
});

function presentStatus({ predictions, outcomes, ...others }: PredictionLogStatus): object {
  const parquet = ({ from, to, ...count }: PredictionLogStatus['predictions']) => ({
    ...count,
    from: timeText(from),
    to: timeText(to),
  });
  return { ...others, predictions: parquet(predictions), outcomes: parquet(outcomes) };
}

function describeStatus({ directory, open, ended, predictions, outcomes, damaged }: PredictionLogStatus): string {
  const row = (what: string, { files, bytes }: { readonly files: number; readonly bytes: number }, more = '') => [
    what,
    String(files),
    String(bytes),
    more,
  ];
  const hours = ({ from, to }: PredictionLogStatus['predictions']): string =>
    from === null ? '' : `${timeText(from)} to ${timeText(to)}`;
  const rows = [
    ['', 'files', 'bytes', ''],
    row('segments being written', open),
    row('segments that are ended', ended),
    row('predictions as Parquet', predictions, hours(predictions)),
    row('outcomes as Parquet', outcomes, hours(outcomes)),
    row('damaged parts', { files: damaged.parts, bytes: damaged.bytes }, damaged.parts > 0 ? damaged.folder : ''),
  ];
  return `${directory}\n${formatTable(rows)}`;
}

const timeText = (at: Micros | null): string | null => (at === null ? null : formatTimestamp(at));

function describeOutcomes({ recorded, repeated, matched, unmatched, in_future }: OutcomeCounts): string {
  return formatTable([
    ['outcomes', 'count', ''],
    ['recorded', String(recorded), ''],
    ['that came again', String(repeated), ''],
    ['predictions that have one', String(matched), ''],
    ['of an unknown id', String(unmatched.unknown_id), 'not of this log, not of its sample, or past what is kept'],
    ['of an unknown unit', String(unmatched.unknown_unit), 'nothing was predicted for it in that time'],
    ['in the future', String(in_future), 'observed more than a minute after they were recorded'],
  ]);
}
