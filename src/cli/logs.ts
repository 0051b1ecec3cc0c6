// `headrace logs`: SQL over the prediction log, and how its files stand.

import { counted, type Json, stringifyJson } from '../core/index.ts';
import type { LogAnswer, LogQuestion } from '../monitoring/index.ts';
import { defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { checkLoggedEndpoint } from './logs/check-endpoint.ts';
import { sendOutcomes } from './logs/outcomes.ts';
import { showPrediction } from './logs/show.ts';
import { writeSpineCommand } from './logs/spine.ts';
import { logStatus } from './logs/status.ts';
import { readTime } from './read-time.ts';
import { formatTable } from './table.ts';

const NEWEST = 'SELECT * FROM predictions ORDER BY predicted_at DESC';
const LIMIT = '1000';

const query = defineCommand({
  usage: 'query [endpoint]',
  summary: 'ask the prediction log in SQL, its last seconds included; the newest predictions when left out',
  example:
    'headrace logs query delay --from 2026-11-24\n' +
    'headrace logs query --sql "SELECT endpoint, version, count(*) AS rows FROM predictions GROUP BY ALL"',
  options: (command) =>
    command
      .option(
        '--sql <select>',
        'a SELECT of DuckDB’s; predictions is the log, each row with its newest outcome; outcomes and exposures are there, too',
      )
      .option('--from <time>', 'only what was predicted at this time or later')
      .option('--to <time>', 'only what was predicted before this time')
      .option('--limit <rows>', 'how many rows to print', LIMIT),
  async run(context, [endpoint], options) {
    const limit = textOption(options, 'limit') ?? LIMIT;
    if (!/^[1-9]\d{0,8}$/.test(limit)) throw usageError(`--limit takes a whole number of rows, got "${limit}".`);
    const from = readTime('--from', textOption(options, 'from'));
    const to = readTime('--to', textOption(options, 'to'));
    const app = await context.app('read');
    const { queryPredictionLog } = await import('../monitoring/index.ts');
    const duckdb = await app.duckdb();
    const ask = (more: Pick<LogQuestion, 'sql' | 'limit' | 'endpoint'>) =>
      queryPredictionLog(duckdb, {
        directory: app.config.values['predictionLog.path'],
        startsAt: context.environment.workingDirectory,
        ...more,
      });
    if (endpoint !== undefined) {
      const logged = () => ask({ sql: 'SELECT DISTINCT endpoint FROM predictions', limit: 1000 });
      await checkLoggedEndpoint(app, endpoint, logged);
    }
    const answer = await ask({
      sql: textOption(options, 'sql') ?? NEWEST,
      limit: Number(limit),
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(from === undefined ? {} : { from }),
      ...(to === undefined ? {} : { to }),
    });
    if (answer.damaged > 0) {
      context.tell(
        `${counted(answer.damaged, 'part')} of the log cannot be read, and what was in them is not in the answer.`,
      );
    }
    return { json: present(answer, Number(limit)), text: describe(answer) };
  },
});

export const logsCommand = defineGroup('logs', 'ask the prediction log', [
  query,
  showPrediction,
  writeSpineCommand,
  sendOutcomes,
  logStatus,
]);

function present({ columns, rows, isCut, damaged }: LogAnswer, limit: number): object {
  return {
    columns,
    rows: rows.map((row) => Object.fromEntries(columns.map(({ name }, i) => [name, row[i]]))),
    limit,
    is_cut: isCut,
    ...(damaged > 0 ? { damaged } : {}),
  };
}

function describe({ columns, rows, isCut }: LogAnswer): string {
  const head = columns.map(({ name }) => cell(name));
  const table = formatTable([head, ...rows.map((row) => row.map(cell))], 'No rows.');
  return isCut ? `${table}\nThere are more rows than these ${rows.length}; --limit takes another number.` : table;
}

// A line's end or another control character would break the table.
function cell(value: Json): string {
  if (value === null) return '';
  const text = typeof value === 'string' ? value : stringifyJson(value);
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (sign) => JSON.stringify(sign).slice(1, -1));
}
