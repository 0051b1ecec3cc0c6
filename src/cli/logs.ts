// `headrace logs`: SQL over the prediction log, and how its files stand.

import type { App } from '../app/index.ts';
import {
  counted,
  didYouMeanOf,
  formatTimestamp,
  HeadraceError,
  type Json,
  type Micros,
  stringifyJson,
} from '../core/index.ts';
import type { LogAnswer, LogQuestion, PredictionLogStatus } from '../monitoring/index.ts';
import { defineCommand, defineGroup, textOption, usageError } from './command.ts';
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
      .option('--sql <select>', 'a SELECT of DuckDB’s; predictions is the log, each row with its newest outcome')
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
      await checkEndpoint(app, endpoint, logged);
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

const status = defineCommand({
  usage: 'status',
  summary: 'how the prediction log stands: what waits to become Parquet, what is, and what could not be read',
  example: 'headrace logs status --json',
  async run(context) {
    const app = await context.app('read');
    const { predictionLogStatus } = await import('../monitoring/index.ts');
    const found = await predictionLogStatus(app.config.values['predictionLog.path']);
    return { json: presentStatus(found), text: describeStatus(found) };
  },
});

export const logsCommand = defineGroup('logs', 'ask the prediction log', [query, status]);

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

/** One that is gone may have left predictions. */
async function checkEndpoint(app: App, endpoint: string, logged: () => Promise<LogAnswer>): Promise<void> {
  const known = (await (await app.registry()).endpoints.list()).map(({ name }) => name);
  if (known.includes(endpoint)) return;
  const all = new Set([...known, ...(await logged()).rows.map(([name]) => String(name))]);
  if (all.has(endpoint)) return;
  throw new HeadraceError(
    'HR_UNKNOWN_ENDPOINT',
    `there is no endpoint "${endpoint}".${didYouMeanOf('endpoints', endpoint, all)}`,
  );
}

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
