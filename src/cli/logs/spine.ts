// `headrace logs spine ENDPOINT`: a stretch of the log as a spine for training sets.

import { counted } from '../../core/index.ts';
import type { WrittenSpine } from '../../monitoring/index.ts';
import { defineCommand, textOption, usageError } from '../command.ts';
import { checkOutputFile } from '../output-file.ts';
import { checkLoggedEndpoint } from './check-endpoint.ts';
import { readTime } from '../read-time.ts';

const LABEL = 'outcome';

export const writeSpineCommand = defineCommand({
  usage: 'spine <endpoint>',
  summary: 'write a stretch of the log as a spine: requests, their times, outcomes as labels, prediction ids',
  example:
    'headrace logs spine delay --from 2026-11-24 --to 2026-11-25 --out spine.parquet\n' +
    'headrace training-set create --service delay_features --spine spine.parquet --timestamp predicted_at --label outcome --out train.parquet',
  notes:
    'A prediction without an outcome has a label of null; --labelled leaves it out. Those whose request was cut or redacted\nin the log are left out, and counted.',
  options: (command) =>
    command
      .option('--from <time>', 'only what was predicted at this time or later')
      .option('--to <time>', 'only what was predicted before this time')
      .requiredOption('--out <file>', 'the Parquet file to write')
      .option('--label <column>', 'the name of the column with the outcomes', LABEL)
      .option('--labelled', 'only predictions that have an outcome'),
  async run(context, [endpoint = ''], options) {
    const out = textOption(options, 'out') ?? '';
    if (!/\.parquet$/i.test(out)) throw usageError(`--out takes a file that ends in .parquet, got "${out}".`);
    const label = textOption(options, 'label') ?? LABEL;
    if (label.trim() === '') throw usageError('--label takes a name that is not blank.');
    const from = readTime('--from', textOption(options, 'from'));
    const to = readTime('--to', textOption(options, 'to'));
    const path = context.path(out);
    await checkOutputFile(path);
    const app = await context.app('read');
    const { queryPredictionLog, writeSpine } = await import('../../monitoring/index.ts');
    const directory = app.config.values['predictionLog.path'];
    const sql = 'SELECT DISTINCT endpoint FROM predictions';
    const startsAt = context.environment.workingDirectory;
    await checkLoggedEndpoint(app, endpoint, async () =>
      queryPredictionLog(await app.duckdb(), { directory, startsAt, sql, limit: 1000 }),
    );
    const written = await writeSpine(await app.duckdb(), {
      directory,
      endpoint,
      out: path,
      label,
      isLabelled: options['labelled'] === true,
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    });
    return { json: { path, timestamp: 'predicted_at', label, ...written }, text: describe(path, label, written) };
  },
});

function describe(path: string, label: string, { rows, labelled, altered, columns }: WrittenSpine): string {
  const unlabelled = rows - labelled;
  return [
    `${counted(rows, 'prediction')} in ${path}: ${columns.map(({ name }) => name).join(', ')}`,
    ...(unlabelled > 0
      ? [
          `  ${counted(unlabelled, 'prediction')} without an outcome: ${label} is null there; --labelled leaves them out`,
        ]
      : []),
    ...(altered > 0
      ? [`  ${counted(altered, 'prediction')} left out: their request was cut or redacted in the log`]
      : []),
    `Use it by: training-set create --spine ${path} --timestamp predicted_at --label ${label}`,
  ].join('\n');
}
