// `headrace logs show ID`: one prediction as it is logged, with what became of it.

import { HeadraceError, type Json, stringifyJson } from '../../core/index.ts';
import { defineCommand } from '../command.ts';
import { formatTable } from '../table.ts';

export const showPrediction = defineCommand({
  usage: 'show <prediction-id>',
  summary: 'find a prediction by its id: what was asked, read and answered, how it came to its arm, what became of it',
  example: 'headrace logs show b0eaa9f2f28d-1z.7.3.k2x9q1',
  async run(context, [id = '']) {
    const app = await context.app('read');
    const { findPrediction } = await import('../../monitoring/index.ts');
    const found = await findPrediction(await app.duckdb(), app.config.values['predictionLog.path'], id);
    if (found === undefined) {
      throw new HeadraceError(
        'HR_UNKNOWN_PREDICTION',
        `the prediction log has no prediction "${id.slice(0, 200)}": it is of another log, was not of the sample, or is past what is kept.`,
      );
    }
    const verify = `headrace verify --prediction ${id}`;
    return { json: { ...found, verify }, text: describe(found, verify) };
  },
});

/** In a table of their own. */
const BY_NAME = ['request', 'features', 'statuses', 'outputs', 'altered'];

function describe(found: Readonly<Record<string, Json>>, verify: string): string {
  const own = Object.entries(found).filter(([name, value]) => !BY_NAME.includes(name) && value !== null);
  const member = (column: string): Readonly<Record<string, Json>> => {
    const value = found[column];
    // Columns that hold JSON by name.
    return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, Json>) : {};
  };
  const [statuses, altered] = [member('statuses'), member('altered')];
  const rowsOf = (section: string): string[][] =>
    Object.entries(member(section)).map(([name, value]) => [
      section,
      name,
      textOf(value),
      [section === 'features' ? textOf(statuses[name] ?? '') : '', textOf(altered[`${section}.${name}`] ?? '')]
        .filter((one) => one !== '')
        .join(', '),
    ]);
  return [
    ...own.map(([name, value]) => `${name}: ${textOf(value)}`),
    '',
    formatTable([['OF', 'NAME', 'VALUE', 'STATUS'], ...['request', 'features', 'outputs'].flatMap(rowsOf)]),
    '',
    `How it would be computed by what is known now: ${verify}`,
  ].join('\n');
}

// A line's end or another control character would break the table.
function textOf(value: Json): string {
  const text = typeof value === 'string' ? value : stringifyJson(value);
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (sign) => JSON.stringify(sign).slice(1, -1));
}
