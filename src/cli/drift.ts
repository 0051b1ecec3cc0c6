// `headrace drift ENDPOINT`: how far what is served has moved from what its model was trained on.

import { counted, formatTimestamp, parseTimestamp } from '../core/index.ts';
import type { DriftReport, ReportedFeature } from '../monitoring/index.ts';
import { ARM_OPTION } from './arm-option.ts';
import { bars } from './bars.ts';
import { type CommandContext, defineCommand, textOption, usageError } from './command.ts';
import { visible } from './plan/visible.ts';
import { formatTable } from './table.ts';

const LIMIT = '48';
/** Of the newest windows the table draws so many. */
const DRAWN = 24;
/** A PSI that fills a window's bar: by the usual rule of thumb values have moved. What is less stays low, however even it is. */
const MOVED = 0.25;

export const driftCommand = defineCommand({
  usage: 'drift <endpoint>',
  summary: 'show how far features and outputs have moved from the training data, by hour or day',
  example: 'headrace drift delay --now',
  columns: {
    STATE: 'open: it drifts; ok; no data: the last hour or day had no row, or too few',
    ROWS: 'of the newest window; those under way are marked *',
    PSI: 'population stability index of the newest window against the training data',
    P: 'how strange that is against what days of the training data have among each other, by Holm over the features',
    WINDOWS: `PSI of the last ${DRAWN} windows, the newest at the right; a full bar is ${MOVED}, or the greatest where that is more`,
    MISSING: 'share of rows with NOT_FOUND, OUTSIDE_MAX_AGE or INVALID',
    NULL: 'share of rows with a null; EMPTY: with a window in which nothing happened',
    NEW: 'values that the training data have not',
  },
  notes:
    'A feature opens after 2 windows running at p ≤ .01, and closes after 3 at p > .1. A window with fewer than 300 rows (of units,\nwhere the endpoint has them) is joined to the next. Servers count windows every drift.every; --now counts what is over by now, and\nshows the window under way.',
  options: (command) =>
    command
      .option('--window <window>', 'hour or day; what drift.window says when left out')
      .option(...ARM_OPTION)
      .option('--limit <windows>', 'how many of each feature in --json', LIMIT)
      .option('--now', 'count now, also the window that is not over'),
  async run(context, [endpoint = ''], options) {
    const window = readWindow(textOption(options, 'window'));
    const limit = textOption(options, 'limit') ?? LIMIT;
    if (!/^[1-9]\d{0,3}$/.test(limit)) throw usageError(`--limit takes a number of windows, got "${limit}".`);
    const isNow = options['now'] === true;
    const app = await context.app(isNow ? 'write' : 'read');
    const { openDrift } = await import('../app/index.ts');
    const drift = await openDrift(app);
    const { askedArms } = await import('../monitoring/index.ts');
    const shown = askedArms(textOption(options, 'arm'));
    const asked = { limit: Number(limit), isNow, shown, ...(window === undefined ? {} : { window }) };
    const report = await drift.report(endpoint, asked);
    return { json: report, text: describe(report, context) };
  },
});

function readWindow(text: string | undefined): 'hour' | 'day' | undefined {
  if (text === undefined || text === 'hour' || text === 'day') return text;
  throw usageError(`--window takes hour or day, got "${text}".`);
}

function describe({ features, arms, window, endpoint }: DriftReport, context: CommandContext): string {
  const paint = context.paint('stdout');
  const hasArms = new Set(features.map(({ arm }) => `${arm.variant} ${arm.version}`)).size > 1;
  const rows = features.map((feature) => describeFeature(feature, hasArms));
  const head = ['FEATURE', 'STATE', 'ROWS', 'PSI', 'P', 'WINDOWS', 'MISSING', 'NULL', 'EMPTY', 'NEW'];
  const table = formatTable(
    [hasArms ? ['ARM', ...head] : head, ...rows],
    `Nothing of ${visible(endpoint)} is watched yet.`,
  );
  const coloured = table
    .split('\n')
    .map((line, at) => (features[at - 1]?.state === 'open' ? paint('red', line) : line))
    .join('\n');
  const told = arms.flatMap(({ variant, version, lacks, waiting_rows, checked_to }) => [
    ...(lacks === null ? [] : [`${visible(variant)}, version ${version}: ${visible(lacks)}.`]),
    ...(waiting_rows === 0
      ? []
      : [
          `${visible(variant)}: ${counted(waiting_rows, 'row')} since ${checked_to ?? ''} wait to be enough for a window.`,
        ]),
  ]);
  const last = features.flatMap(({ windows }) => windows.slice(-1).map(({ to }) => parseTimestamp(to) ?? 0));
  const until = last.length === 0 ? [] : [`By ${window}, up to ${formatTimestamp(Math.max(...last))}.`];
  return [coloured, ...until, ...told].join('\n');
}

function describeFeature({ feature, kind, arm, state, windows }: ReportedFeature, hasArms: boolean): string[] {
  const name = visible(kind === 'output' ? `output:${feature}` : feature);
  const last = windows.at(-1);
  const own = hasArms ? [visible(`${arm.variant} ${arm.version}`)] : [];
  if (last === undefined) return [...own, name, state, '', '', '', '', '', '', '', ''];
  return [
    ...own,
    name,
    state,
    `${last.rows}${last.under_way === true ? '*' : ''}`,
    last.psi === null ? '' : last.psi.toFixed(3),
    last.adjusted_p === null ? '' : shortP(last.adjusted_p),
    bars(
      windows.slice(-DRAWN).map(({ psi }) => psi ?? 0),
      MOVED,
    ),
    percent(last.missing),
    percent(last.null),
    percent(last.empty),
    visible(
      last.new_categories
        .slice(0, 3)
        .map(({ value }) => value)
        .join(', '),
    ),
  ];
}

/** Below what a double holds, it is less than the least of them. */
const shortP = (p: number): string => (p === 0 ? '<1e-300' : p < 0.0001 ? p.toExponential(0) : p.toFixed(4));
const percent = (share: number): string => (share === 0 ? '' : `${(share * 100).toFixed(1)} %`);
