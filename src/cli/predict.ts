// `headrace predict`: a file's rows by an endpoint's arm.

import { counted } from '../core/index.ts';
import type { PredictedFile } from '../batch-prediction/index.ts';
import { type CommandOptions, defineCommand, textOption, usageError } from './command.ts';

export const predictCommand = defineCommand({
  usage: 'predict <endpoint>',
  summary: 'predict all rows of a file as the endpoint would, with features as of each row’s time',
  example:
    'headrace predict delay --input flights.parquet --timestamp scheduled_at --out predictions\nheadrace predict delay --input s3://lake/flights/*.parquet --timestamp scheduled_at --out s3://lake/predictions --variant stable --on-error column',
  notes:
    'The output is a folder: parts in the input’s order (part-00000.parquet, …), and _manifest.json once all are there. The same command after a kill goes on where it was.',
  options: (command) =>
    command
      .requiredOption('--input <file>', 'Parquet or CSV: a file, a glob or s3://…, with the keys and request columns')
      .requiredOption('--timestamp <column>', 'the input’s time column: features are those known at that time')
      .requiredOption('--out <folder>', 'the folder to write, or s3://bucket/prefix')
      .option(
        '--boundary <at|before>',
        'whether what happened at a row’s very time counts in its features; as in the training set that the version was registered with, when left out',
      )
      .option('--variant <name>', 'the variant whose version predicts; the only one when left out')
      .option('--model-version <version>', 'a version of the endpoint’s model instead: a number, an alias or latest')
      .option('--columns <names>', 'input columns to keep, separated by commas; all when left out')
      .option('--with-features', 'write the features, too')
      .option(
        '--on-error <fail|column>',
        'what a row does that can’t be predicted: end it all, or say why in a column "error"',
        'fail',
      )
      .option('--format <parquet|csv>', 'of the parts', 'parquet')
      .option(
        '--slice <n/m>',
        'only the n-th of m equal slices of the rows, for several machines; each to a folder of its own',
      )
      .option('--overwrite', 'replace another batch that lies there'),
  async run(context, [endpoint = ''], options) {
    const [input, timestamp, out] = [named(options, 'input'), named(options, 'timestamp'), named(options, 'out')];
    const slice = sliceOf(textOption(options, 'slice'));
    const variant = textOption(options, 'variant');
    const version = textOption(options, 'modelVersion');
    if (variant !== undefined && version !== undefined)
      throw usageError('predict takes either --variant or --model-version.');
    const columns = textOption(options, 'columns')
      ?.split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '');
    const asked = textOption(options, 'boundary');
    const boundary = asked === undefined ? undefined : oneOf('--boundary', asked, ['at', 'before']);
    const app = await context.app();
    const { predictInBatch } = await import('../app/index.ts');
    const result = await predictInBatch(
      app,
      {
        endpoint,
        input: {
          path: placeOf(input, context.path),
          directory: context.environment.workingDirectory,
          ...(slice === undefined ? {} : { slice }),
        },
        timestamp,
        out: placeOf(out, context.path),
        hasFeatures: options['withFeatures'] === true,
        badRows: oneOf('--on-error', textOption(options, 'onError'), ['fail', 'column']) === 'fail' ? 'fail' : 'mark',
        format: oneOf('--format', textOption(options, 'format'), ['parquet', 'csv']),
        overwrites: options['overwrite'] === true,
        ...(boundary === undefined ? {} : { boundary }),
        ...(columns === undefined ? {} : { columns }),
        ...(variant === undefined ? {} : { variant }),
        ...(version === undefined ? {} : { version }),
      },
      context.progress,
    );
    return { json: result, text: describe(result) };
  },
});

/** Of an empty one this folder would be meant: a variable of a shell that is not set. */
function named(options: CommandOptions, name: 'input' | 'timestamp' | 'out'): string {
  const text = textOption(options, name);
  if (text !== undefined && text.trim() !== '') return text;
  throw usageError(`--${name} is empty. Name ${{ input: 'a file', timestamp: 'a column', out: 'a folder' }[name]}.`);
}

function oneOf<T extends string>(option: string, value: string | undefined, known: readonly T[]): T {
  const found = known.find((one) => one === value);
  if (found !== undefined) return found;
  throw usageError(`${option} is ${known.join(' or ')}, got "${value ?? ''}".`);
}

function sliceOf(text: string | undefined): { readonly index: number; readonly of: number } | undefined {
  if (text === undefined) return undefined;
  const [, index, of] = /^(\d{1,6})\/(\d{1,6})$/.exec(text) ?? [];
  if (index === undefined || of === undefined || Number(index) < 1 || Number(index) > Number(of))
    throw usageError(`--slice takes the slice and how many there are, 1/8 to 8/8, got "${text}".`);
  return { index: Number(index) - 1, of: Number(of) };
}

function describe({ out, rows, failed, parts, resumed, model, version, variant, boundary }: PredictedFile): string {
  const by = `${model} version ${version}${variant === null ? '' : `, variant ${variant}`}`;
  const bad = failed === 0 ? '' : `, ${counted(failed, 'row')} without a prediction (column error)`;
  const before = resumed === 0 ? '' : ` (${resumed} of them were there)`;
  return `${counted(rows, 'row')} by ${by}, features by boundary ${boundary}${bad}  ${counted(parts.length, 'part')}${before}  ${out}`;
}

/** An address in S3 stays as it is. */
function placeOf(typed: string, path: (typed: string) => string): string {
  return /^s3:\/\//i.test(typed) ? typed : path(typed);
}
