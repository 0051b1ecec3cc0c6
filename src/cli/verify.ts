// `headrace verify`: what was served, computed again as of then from facts and logs.

import { counted, HeadraceError, stringifyJson } from '../core/index.ts';
import type { VerifyReport } from '../control/index.ts';
import { defineCommand, textOption, usageError } from './command.ts';
import { readTime } from './read-time.ts';
import { formatTable } from './table.ts';

const SAMPLE = '1000';
const TIMEOUT = '15';

export const verifyCommand = defineCommand({
  usage: 'verify',
  summary:
    'compute again what was served, as of then, and tell why it differs where it does: late data, other version, bug',
  example: 'headrace verify --endpoint delay --since 2026-11-24',
  columns: {
    CAUSE:
      'bug: nothing explains it; late data: facts that were known by then arrived after it; other version: by the definitions of today it is another',
    COUNT: 'values of the feature that differ',
  },
  exitCodes: { 0: 'no bug', 1: 'there are bugs', 2: 'wrong usage' },
  notes:
    'Each prediction is held against the definitions of the model version that answered. Servers are asked to ship what they\ntook of pushes first.',
  options: (command) =>
    command
      .option('--endpoint <endpoint>', 'only of this one')
      .option('--prediction <id>', 'this one alone, by the id that its answer had')
      .option('--since <time>', 'only what was predicted at this time or later')
      .option('--sample <n>', 'at most so many predictions, the same ones each time', SAMPLE)
      .option('--timeout <seconds>', 'how long writers of pushes are waited for', TIMEOUT),
  async run(context, _args, options) {
    const sample = textOption(options, 'sample') ?? SAMPLE;
    if (!/^[1-9]\d{0,5}$/.test(sample)) throw usageError(`--sample takes a number of predictions, got "${sample}".`);
    const timeout = Number(textOption(options, 'timeout') ?? TIMEOUT);
    if (!(timeout >= 0 && timeout <= 3600)) throw usageError('--timeout takes a number of seconds up to 3600.');
    const since = readTime('--since', textOption(options, 'since'));
    const endpoint = textOption(options, 'endpoint');
    const prediction = textOption(options, 'prediction');
    const app = await context.app('write');
    const { verify, withDeadSettled } = await import('../app/index.ts');
    const asked = {
      sample: Number(sample),
      timeoutMs: timeout * 1000,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(prediction === undefined ? {} : { prediction }),
      ...(since === undefined ? {} : { since }),
    };
    const definitions = await app.applied();
    const kept = { definitions, versions: await app.versions() };
    const report = await withDeadSettled(app, kept, () => verify(app, asked, context.progress));
    if (prediction !== undefined && report.checked === 0)
      throw new HeadraceError(
        'HR_UNKNOWN_PREDICTION',
        `the prediction log has no prediction "${prediction.slice(0, 200)}" that this asks for: it is of another log or endpoint, was not of the sample, or is past what is kept.`,
      );
    const hasBugs = report.differences.some(({ cause }) => cause === 'bug');
    return { json: present(report), text: describe(report), exitCode: hasBugs ? 1 : 0 };
  },
});

function present({ notComparable, differences, ...others }: VerifyReport): object {
  return {
    ...others,
    differences: differences.map(({ examples, ...one }) => ({
      ...one,
      examples: examples.map(({ predictionId, ...example }) => ({ prediction_id: predictionId, ...example })),
    })),
    not_comparable: notComparable,
  };
}

function describe({ logged, checked, values, agreed, differences, notComparable, damaged }: VerifyReport): string {
  const rows = differences.map(({ endpoint, feature, cause, count, examples }) => {
    const [first] = examples;
    const shown = (value: unknown): string => stringifyJson(value);
    const example =
      first === undefined ? '' : `${first.at}: served ${shown(first.served)}, expected ${shown(first.expected)}`;
    return [endpoint, feature, cause, String(count), example];
  });
  return [
    ...(rows.length === 0
      ? []
      : [formatTable([['ENDPOINT', 'FEATURE', 'CAUSE', 'COUNT', 'FOR EXAMPLE'], ...rows]), '']),
    `${counted(checked, 'prediction')} of ${logged}: ${agreed} of ${counted(values, 'value')} agree.`,
    ...notComparable.map(({ reason, values: count }) => `Not comparable: ${counted(count, 'value')}, ${reason}.`),
    ...(damaged > 0 ? [`${counted(damaged, 'part')} of the prediction log cannot be read.`] : []),
  ].join('\n');
}
