// `headrace quality ENDPOINT`: how good predictions were, as far as outcomes are known, and where they are worst.

import { counted } from '../core/index.ts';
import type { QualityReport, ReportedDay, Segments } from '../monitoring/index.ts';
import { ARM_OPTION } from './arm-option.ts';
import { defineCommand, textOption, usageError } from './command.ts';
import { visible } from './plan/visible.ts';
import { formatTable } from './table.ts';

const DAYS = '14';
const SHOWN_SEGMENTS = 10;

export const qualityCommand = defineCommand({
  usage: 'quality <endpoint>',
  summary: 'show how good predictions were, as far as outcomes are known, and where they are worst',
  example: 'headrace quality delay --now --days 7',
  columns: {
    KNOWN: 'share of the day’s predictions whose outcome has come',
    AUC: 'and the other figures: of predictions whose outcome is known',
    ESTIMATED: 'accuracy by the scores alone, of all: blind to a world in which the same inputs come to something else',
    SHRUNK: 'how much worse a slice is, pulled towards the rest as far as its few rows say little',
    Q: 'the share of false finds among slices that look at least as bad',
  },
  options: (command) =>
    command
      .option('--days <days>', 'how many days of each arm', DAYS)
      .option(...ARM_OPTION)
      .option('--now', 'measure now what has come since the last time'),
  async run(context, [endpoint = ''], options) {
    const days = textOption(options, 'days') ?? DAYS;
    if (!/^[1-9]\d{0,2}$/.test(days)) throw usageError(`--days takes a number of days, got "${days}".`);
    const isNow = options['now'] === true;
    const app = await context.app(isNow ? 'write' : 'read');
    const { openQuality } = await import('../app/index.ts');
    const quality = await openQuality(app);
    const { askedArms } = await import('../monitoring/index.ts');
    const shown = askedArms(textOption(options, 'arm'));
    const report = await quality.report(endpoint, { days: Number(days), isNow, shown });
    return { json: report, text: describe(report) };
  },
});

function describe({ arms, endpoint }: QualityReport): string {
  if (arms.length === 0) return `Nothing of ${visible(endpoint)} is measured yet.`;
  return arms
    .map(({ variant, version, days, coverage, segments }) =>
      [
        `${visible(variant)}, version ${version}`,
        describeDays(days),
        describeCoverage(coverage),
        describeSegments(segments),
      ]
        .filter((part) => part !== '')
        .join('\n'),
    )
    .join('\n\n');
}

const NAMES = ['auc', 'log_loss', 'brier', 'calibration_error', 'accuracy', 'mae', 'rmse', 'bias'] as const;
const HEADS: Readonly<Record<(typeof NAMES)[number], string>> = {
  auc: 'AUC',
  log_loss: 'LOG LOSS',
  brier: 'BRIER',
  calibration_error: 'CALIBRATION',
  accuracy: 'ACCURACY',
  mae: 'MAE',
  rmse: 'RMSE',
  bias: 'BIAS',
};

function describeDays(days: readonly ReportedDay[]): string {
  const names = NAMES.filter((name) => days.some(({ figures }) => figures[name] !== undefined));
  const hasEstimates = days.some(({ estimated }) => estimated !== null);
  const rows = days.map(({ day, rows: all, coverage, figures, estimated }) => [
    day,
    String(all),
    percent(coverage),
    ...names.map((name) => short(figures[name])),
    ...(hasEstimates ? [short(estimated?.accuracy)] : []),
  ]);
  const head = ['DAY', 'ROWS', 'KNOWN', ...names.map((name) => HEADS[name]), ...(hasEstimates ? ['ESTIMATED'] : [])];
  return formatTable([head, ...rows], 'No day is measured yet.');
}

function describeCoverage(coverage: QualityReport['arms'][number]['coverage']): string {
  const parts = coverage.map(
    ({ age_from_seconds: from, age_to_seconds: to, share }) =>
      `${to === null ? `over ${age(from)}` : `up to ${age(to)}`} ${percent(share)}`,
  );
  return parts.length === 0 ? '' : `Outcomes by age of the prediction: ${parts.join(', ')}.`;
}

function describeSegments(segments: Segments | null): string {
  if (segments === null) return 'Too few rows to look for bad slices.';
  const { of, worst, tested, rows } = segments;
  const looked = `${counted(tested, 'slice')} of ${counted(rows, 'row')} by ${of}`;
  if (worst.length === 0) return `No slice is worse than the rest (${looked}).`;
  const lines = worst.slice(0, SHOWN_SEGMENTS).map(({ where, rows: own, mean, shrunk, q }) => [
    visible(
      Object.entries(where)
        .map(([column, value]) => `${column} = ${value}`)
        .join(' and '),
    ),
    String(own),
    short(mean),
    short(shrunk),
    shortQ(q),
  ]);
  return `Worst slices, ${looked}:\n${formatTable([['SLICE', 'ROWS', of.toUpperCase(), 'SHRUNK', 'Q'], ...lines])}`;
}

/** Below what a double holds, it is less than the least of them. */
const shortQ = (q: number): string => (q === 0 ? '<1e-300' : q < 0.0001 ? q.toExponential(0) : q.toFixed(4));
const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
const short = (value: number | null | undefined): string =>
  value === null || value === undefined ? '' : Math.abs(value) >= 1000 ? value.toFixed(0) : value.toFixed(4);
const age = (seconds: number): string => (seconds >= 86_400 ? `${seconds / 86_400}d` : `${seconds / 3600}h`);
