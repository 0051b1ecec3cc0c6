// `headrace monitor history`: what servers counted of an endpoint, by the minute or by the hour.

import { formatTimestamp, type Micros, MICROS_PER_HOUR, MICROS_PER_MINUTE, parseDuration } from '../core/index.ts';
import type { History, HistoryPoint, HistorySeries, HistoryStep } from '../monitoring/index.ts';
import { sparkline } from './bars.ts';
import { defineCommand, defineGroup, textOption, usageError } from './command.ts';
import { visible } from './plan/visible.ts';
import { formatTable } from './table.ts';

const SINCE = { minute: '1h', hour: '1d' } as const;
const STEP_MICROS = { minute: MICROS_PER_MINUTE, hour: MICROS_PER_HOUR } as const;

const history = defineCommand({
  usage: 'history <endpoint>',
  summary: 'what servers counted of an endpoint and its arms over the last hour, by the minute',
  example: 'headrace monitor history delay\nheadrace monitor history delay --since 7d --step hour --json',
  columns: {
    ARM: '`all` is whole requests, before they are assigned; variants with their versions are rows, as assigned',
    ERRORS: 'failed by the server’s own fault; REFUSED by the client’s',
    NULLS:
      'rows in which a feature was missing or null; SLOW: past what a rollout’s stable variant takes; of arms alone',
    'P99 MS': 'the greatest of any step; the line beside it is p99 over time, as REQUESTS’ is requests',
  },
  options: (command) =>
    command
      .option('--since <duration>', 'how far back: 1h, 7d (default: 1h, by the hour 1d)')
      .option('--step <step>', 'minute (kept 48 h) or hour (kept 90 days)', 'minute')
      .option('--arm <variant>', 'one variant alone, or experiment/arm'),
  async run(context, [endpoint = ''], options) {
    const step = readStep(textOption(options, 'step') ?? 'minute');
    const since = readSince(textOption(options, 'since') ?? SINCE[step]);
    const app = await context.app('read');
    const { openHistory, presentHistory } = await import('../monitoring/index.ts');
    const read = await openHistory(await app.database(), app.clock);
    const from = app.clock.nowMicros() - since;
    const found = await read({ endpoint, arm: textOption(options, 'arm'), from, step });
    // Throws where there is none; one that was retired has a history while that is kept.
    if (found.series.length === 0) await (await app.registry()).endpoints.get(endpoint);
    return { json: presentHistory(found), text: describe(found, endpoint) };
  },
});

export const monitorCommand = defineGroup('monitor', 'what servers counted over time', [history]);

function readStep(text: string): HistoryStep {
  if (text === 'minute' || text === 'hour') return text;
  throw usageError(`--step takes minute or hour, got "${text}".`);
}

function readSince(text: string): Micros {
  const micros = parseDuration(text);
  if (micros === undefined || micros === 0)
    throw usageError(`--since takes a duration such as 1h or 7d, got "${text}".`);
  return micros;
}

function describe({ step, from, to, series }: History, endpoint: string): string {
  const rows = series.flatMap((one) => (one.kind === 'view' ? [] : [rowOf(one, timesOf(step, from, to))]));
  const head = ['ARM', 'REQUESTS', 'ROWS', 'ERRORS', 'REFUSED', 'NULLS', 'SLOW', 'P99 MS', 'REQUESTS', 'P99'];
  if (rows.length === 0)
    return `Nothing was counted of ${visible(endpoint)} since ${formatTimestamp(from)}. --since goes further back.`;
  return [
    `${visible(endpoint)} from ${formatTimestamp(from)} to ${formatTimestamp(to)}, by the ${step}`,
    '',
    formatTable([head, ...rows]),
  ].join('\n');
}

function timesOf(step: HistoryStep, from: Micros, to: Micros): readonly Micros[] {
  const times: Micros[] = [];
  for (let at = from; at < to; at += STEP_MICROS[step]) times.push(at);
  return times;
}

function rowOf(series: Exclude<HistorySeries, { readonly kind: 'view' }>, times: readonly Micros[]): readonly string[] {
  const { points } = series;
  const sum = (pick: (point: HistoryPoint) => number): string =>
    String(points.reduce((total, point) => total + pick(point), 0));
  const byTime = new Map(points.map((point) => [point.at, point]));
  const p99s = times.map((at) => byTime.get(at)?.latency?.p99Micros ?? null);
  const known = p99s.filter((p99) => p99 !== null);
  return [
    series.kind === 'arm' ? visible(`${series.variant} v${series.version}`) : 'all',
    sum(({ requests }) => requests),
    sum(({ rows }) => rows),
    sum(({ errors }) => errors),
    sum(({ refused, rejected }) => refused + rejected),
    // Counted of arms alone: a 0 would say that there were none.
    series.kind === 'arm' ? sum(({ nulls }) => nulls) : '-',
    series.kind === 'arm' ? sum(({ slow }) => slow) : '-',
    known.length === 0 ? '-' : String(Number((Math.max(...known) / 1000).toPrecision(3))),
    sparkline(times.map((at) => byTime.get(at)?.requests ?? null)),
    sparkline(p99s),
  ];
}
