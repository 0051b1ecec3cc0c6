// An evaluation as one HTML file that needs nothing else: the figures first, then plots, then slices.

import { type Evaluated, type Metrics, rocCurve, type Slice } from '../../models/index.ts';
import {
  attributes,
  escape,
  htmlPage,
  scale,
  show,
  signed,
  svg,
  svgLine,
  svgText,
  table,
  whole,
} from '../../rollouts/index.ts';
import type { Scored } from './score-rows.ts';

export interface ShownEvaluation {
  readonly model: string;
  /** What was evaluated: `version 3`. */
  readonly name: string;
  readonly label: string;
  /** The file that holds the rows. */
  readonly rows: string;
  readonly alias: string | null;
  /** The version under the alias; null where there is none. */
  readonly against: number | null;
  readonly primary: string;
  readonly better: boolean;
  readonly figures: Evaluated;
  readonly scored: Pick<Scored, 'labels' | 'scores' | 'unlabelled'>;
}

export function evaluationCard(shown: ShownEvaluation): string {
  const { model, name, label, figures, scored } = shown;
  const plots = figures.task === 'binary' ? binaryPlots(shown) : regressionPlots(shown);
  const unlabelled = scored.unlabelled === 0 ? '' : ` ${whole(scored.unlabelled)} rows without one count nowhere.`;
  const main = `${verdict(shown)}
<h2>Figures</h2>
${metricsTable(shown)}
${plots.join('\n')}
${Object.entries(figures.slices)
  .map(([column, slices]) => sliceTable(shown, column, slices))
  .join('\n')}
<footer>Rows: ${escape(shown.rows)}</footer>`;
  return htmlPage({
    title: `${model}: evaluation`,
    heading: model,
    lead: `${name} on ${whole(figures.rows)} rows with a “${label}”.${unlabelled}`,
    main,
  });
}

function verdict({ alias, against, better, primary, figures }: ShownEvaluation): string {
  if (alias === null) return '';
  const difference = figures.against?.differences[primary] ?? null;
  const sentence =
    against === null
      ? `No version has the alias “${alias}” yet: there is nothing to be better than.`
      : `By ${primary} it is ${better ? 'better' : 'not better'} than version ${against} (${alias})${difference === null ? '' : `: ${signed(difference)}`}.`;
  return `<section class="decision ${better ? 'better' : 'worse'}" aria-labelledby="verdict"><h2 id="verdict">Against ${escape(alias)}</h2><p>${escape(sentence)}</p></section>`;
}

function metricsTable({ figures: { metrics, against }, against: version }: ShownEvaluation): string {
  const head = ['Metric', 'Value', ...(against === undefined ? [] : [`Version ${version}`, 'Difference'])];
  const rows = Object.entries(metrics).map(([name, value]) => [
    name,
    show(value),
    ...(against === undefined ? [] : [show(against.metrics[name] ?? null), differenceOf(against.differences, name)]),
  ]);
  return table({ caption: 'As scikit-learn defines them; – where a metric is not defined', head, rows });
}

function differenceOf(differences: Metrics, name: string): string {
  const value = differences[name] ?? null;
  return value === null ? '–' : signed(value);
}

function sliceTable({ figures }: ShownEvaluation, column: string, slices: readonly Slice[]): string {
  const names = Object.keys(figures.metrics);
  const isCompared = (name: string): boolean => Object.hasOwn(figures.against?.differences ?? {}, name);
  const head = [column, 'Rows', ...names.flatMap((name) => (isCompared(name) ? [name, 'difference'] : [name]))];
  const rows = slices.map(({ value, isOther, rows: count, metrics, against }) => [
    isOther === true ? 'other' : (value ?? 'no value'),
    whole(count),
    ...names.flatMap((name) => {
      const own = show(metrics[name] ?? null);
      return isCompared(name) ? [own, differenceOf(against?.differences ?? {}, name)] : [own];
    }),
  ]);
  const caption = `The largest ${slices.length} values of ${column} by their rows`;
  return `<h2>By ${escape(column)}</h2>\n${table({ caption, head, rows })}`;
}

const WIDTH = 720;
const HEIGHT = 320;
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 120, 14, 44];

type Points = readonly (readonly [x: number, y: number])[];

interface Line {
  readonly name: string;
  readonly points: Points;
}

interface Plot {
  readonly id: string;
  readonly title: string;
  readonly description: string;
  readonly x: string;
  readonly y: string;
  readonly xRange: readonly [number, number];
  readonly yRange: readonly [number, number];
  readonly lines: readonly Line[];
  /** From corner to corner: what chance, or a model that is always right, gives. */
  readonly diagonal?: boolean;
}

/** Each a heading with an image. */
function binaryPlots({ name, against, figures, scored }: ShownEvaluation): string[] {
  const named = scored.scores.map((scores, at) => ({ name: at === 0 ? name : `version ${against}`, scores }));
  const unit = [0, 1] as const;
  const roc = named.map((one) => {
    const curve = rocCurve({ scores: one.scores, labels: scored.labels });
    return { name: one.name, points: curve.map((p) => [p.false_positive_rate, p.true_positive_rate] as const) };
  });
  const calibration = (figures.calibration ?? []).map((bin) => [bin.mean_score, bin.positive_rate] as const);
  return [
    '<h2>How well rows are told apart</h2>',
    plot({
      id: 'roc',
      title: 'ROC curve',
      description: `Area under it: ${show(figures.metrics['auc'] ?? null)}.`,
      x: 'share of the false told as true',
      y: 'share of the true found',
      xRange: unit,
      yRange: unit,
      lines: roc,
      diagonal: true,
    }),
    '<h2>Whether probabilities hold</h2>',
    plot({
      id: 'calibration',
      title: 'Calibration',
      description: 'Share that was so, by the mean probability of ten bins. On the diagonal they agree.',
      x: 'mean probability',
      y: 'share that was so',
      xRange: unit,
      yRange: unit,
      lines: [{ name, points: calibration }],
      diagonal: true,
    }),
    '<h2>How probabilities lie</h2>',
    plot({
      id: 'scores',
      title: 'Probabilities of the rows that were so, and of the others',
      description: 'Share of the rows of each kind, by twenty bins of probability.',
      x: 'probability',
      y: 'share of rows',
      xRange: unit,
      yRange: [0, 1],
      lines: [1, 0].map((which) => {
        const own = (scored.scores[0] ?? new Float64Array()).filter((_, row) => scored.labels[row] === which);
        return { name: which === 1 ? 'was so' : 'was not', points: histogram(own, [0, 1]) };
      }),
    }),
  ];
}

function regressionPlots({ name, against, scored }: ShownEvaluation): string[] {
  const { labels } = scored;
  const range = rangeOf(labels, ...scored.scores);
  const errors = scored.scores.map((scores) => labels.map((label, row) => label - Number(scores[row])));
  const errorRange = rangeOf(...errors);
  const names = scored.scores.map((_, at) => (at === 0 ? name : `version ${against}`));
  return [
    '<h2>What was told, and what came</h2>',
    plot({
      id: 'told',
      title: 'Mean of what came, by what was told',
      description: 'Rows in twenty groups of equal size by what was told. On the diagonal they agree.',
      x: 'told',
      y: 'came',
      xRange: range,
      yRange: range,
      lines: scored.scores.map((scores, at) => ({ name: names[at] ?? '', points: groupMeans(scores, labels) })),
      diagonal: true,
    }),
    '<h2>How errors lie</h2>',
    plot({
      id: 'errors',
      title: 'Errors: what came less what was told',
      description: 'Share of rows, by twenty bins.',
      x: 'error',
      y: 'share of rows',
      xRange: errorRange,
      yRange: [0, 1],
      lines: errors.map((own, at) => ({ name: names[at] ?? '', points: histogram(own, errorRange) })),
    }),
  ];
}

/** Not by spreading: rows may be more than a call takes. */
function rangeOf(...all: readonly Float64Array[]): readonly [number, number] {
  let [lo, hi] = [Infinity, -Infinity];
  for (const values of all) for (const value of values) [lo, hi] = [Math.min(lo, value), Math.max(hi, value)];
  return lo < hi ? [lo, hi] : lo === hi ? [lo - 0.5, hi + 0.5] : [0, 1];
}

const BINS = 20;

function histogram(values: Float64Array, [lo, hi]: readonly [number, number]): Points {
  const counts = new Array<number>(BINS).fill(0);
  for (const value of values) {
    const at = Math.min(BINS - 1, Math.max(0, Math.floor(((value - lo) / (hi - lo)) * BINS)));
    counts[at] = (counts[at] ?? 0) + 1;
  }
  return counts.map((count, at) => [
    lo + ((at + 0.5) / BINS) * (hi - lo),
    values.length === 0 ? 0 : count / values.length,
  ]);
}

function groupMeans(scores: Float64Array, labels: Float64Array): Points {
  const order = Uint32Array.from(scores, (_, row) => row).sort((a, b) => Number(scores[a]) - Number(scores[b]));
  return Array.from({ length: Math.min(BINS, order.length) }, (_, group) => {
    const groups = Math.min(BINS, order.length);
    const own = order.subarray(
      Math.floor((group * order.length) / groups),
      Math.floor(((group + 1) * order.length) / groups),
    );
    const mean = (of: Float64Array): number => own.reduce((sum, row) => sum + Number(of[row]), 0) / own.length;
    return [mean(scores), mean(labels)] as const;
  });
}

const DASHES = ['', '7 4'] as const;

function plot({ id, title, description, x, y, xRange, yRange, lines, diagonal }: Plot): string {
  const most = yRange[0] === 0 && yRange[1] === 1 && diagonal !== true ? highest(lines) : yRange[1];
  const across = scale(xRange[0], xRange[1], LEFT, WIDTH - RIGHT);
  const up = scale(yRange[0], most, HEIGHT - BOTTOM, TOP, 4);
  const grid = [
    ...up.ticks.map(
      (tick) =>
        svgLine(LEFT, up.at(tick), WIDTH - RIGHT, up.at(tick), { class: 'grid' }) +
        svgText(LEFT - 8, up.at(tick) + 4, show(tick), { 'text-anchor': 'end', class: 'tick' }),
    ),
    ...across.ticks.map((tick) =>
      svgText(across.at(tick), HEIGHT - BOTTOM + 18, show(tick), { 'text-anchor': 'middle', class: 'tick' }),
    ),
    svgText((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, x, { 'text-anchor': 'middle', class: 'side' }),
    svgText(LEFT, TOP - 3, y, { class: 'side' }),
  ];
  const ends = [Math.max(xRange[0], yRange[0]), Math.min(xRange[1], yRange[1])] as const;
  const even = svgLine(across.at(ends[0]), up.at(ends[0]), across.at(ends[1]), up.at(ends[1]), { class: 'expected' });
  const drawn = lines.map(({ name, points }, place) => {
    const colour = `arm arm-${(place + 1) % 6}`;
    const path = points
      .map(([a, b], at) => `${at === 0 ? 'M' : 'L'}${across.at(a).toFixed(1)} ${up.at(b).toFixed(1)}`)
      .join('');
    return (
      `<path${attributes({ d: path, class: `line ${colour}`, 'stroke-dasharray': DASHES[place] ?? '2 4' })}/>` +
      svgText(WIDTH - RIGHT + 8, TOP + 14 + place * 18, name, { class: `label ${colour}` })
    );
  });
  const body = [...grid, ...(diagonal === true ? [even] : []), ...drawn].join('\n');
  return svg({ id, width: WIDTH, height: HEIGHT, title, description, body });
}

function highest(lines: readonly Line[]): number {
  return Math.max(1e-9, ...lines.flatMap(({ points }) => points.map(([, share]) => share)));
}
