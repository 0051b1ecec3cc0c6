// A report as one HTML file that needs nothing else: the decision first, then what it rests on, each plot with its table.

import type { ArmComparison, Effect, ExperimentReport, MetricReport } from '../report/experiment-report.ts';
import { percent, show, signed, whole } from '../report/figures.ts';
import { armLabel, headOf, interval } from '../report/report-text.ts';
import { showing } from '../report/shown-effect.ts';
import { intervalPlot } from './interval-plot.ts';
import { escape, html, table } from './markup.ts';
import { htmlPage } from './page.ts';
import { splitPlot, timelinePlot } from './units-plot.ts';

export function reportHtml(report: ExperimentReport): string {
  const { name, metrics, notes } = report;
  const ofRole = (role: MetricReport['role']): readonly MetricReport[] => metrics.filter((one) => one.role === role);
  const main = `<section class="decision ${toneOf(report)}" aria-labelledby="decision"><h2 id="decision">What it says</h2><p>${escape(report.decision)}</p></section>
${facts(report)}
${section('Goals', 'What decides. An arm is called better or worse where its always-valid interval, corrected over all goals and arms, leaves zero out.', ofRole('goal'), report)}
${section('Guardrails', 'What must not get worse.', ofRole('guardrail'), report)}
${section('Secondary', 'What explains. Of many, some differ by chance.', ofRole('secondary'), report)}
<h2>Who took part</h2>
${timelinePlot(report) ?? '<p>Nobody has been seen yet.</p>'}
${armsTable(report)}
<h2>Can the split be trusted?</h2>
<p>${escape(splitSentence(report))}</p>
${splitPlot(report)}
<p class="key">Bars are units that were seen; the dashed mark is how many the weights say.</p>
${notes.length === 0 ? '' : `<h2>To know</h2>\n<ul class="notes">${notes.map((note) => `<li>${escape(note)}</li>`).join('')}</ul>`}
<h2>How to read it</h2>
<ul class="notes">
<li><strong>Always valid</strong> (the thin line): holds however often somebody looks, so an experiment may be stopped as soon as it leaves zero out.</li>
<li><strong>One look</strong> (the bar): the ordinary ${100 - report.alpha * 100} % interval. It holds for one look at a time that was fixed before, and for no other.</li>
<li><strong>p, corrected</strong>: of one look; over all goals and arms by ${report.correction === 'holm' ? 'Holm’s' : 'Benjamini and Hochberg’s'} method.</li>
<li>Units count from their first exposure on, in the arm that they were assigned, whatever they were served.</li>
</ul>
<footer>Snapshot ${escape(report.snapshot)}, made ${escape(report.made_at)}. The same rows give the same snapshot; late data gives another.</footer>`;
  return htmlPage({ title: `${name}: experiment report`, heading: name, lead: whenOf(report), main });
}

function whenOf(report: ExperimentReport): string {
  const { plan, arms, control } = report;
  const others = arms.filter(({ name }) => name !== control).map(({ name }) => name);
  return `${headOf(report)}. ${others.join(', ')} against ${control}${plan === 'bandit' ? ', as a bandit' : ''}.`;
}

/** The decision's colour; its words say the same. */
function toneOf({ srm, metrics }: ExperimentReport): string {
  if (srm.is_mismatch) return 'warn';
  const has = (role: string, verdict: string): boolean =>
    metrics.some((one) => one.role === role && one.comparisons.some((comparison) => comparison.verdict === verdict));
  if (has('guardrail', 'worse') || has('goal', 'worse')) return 'worse';
  return has('goal', 'better') ? 'better' : '';
}

function facts({ arms, srm, started_at: start, ended_at: end, timeline }: ExperimentReport): string {
  const units = arms.reduce((sum, arm) => sum + arm.units, 0);
  const until = end ?? timeline.at(-1)?.at ?? start;
  const all = [
    ['Units', whole(units)],
    ['Arms', String(arms.length)],
    lasted(Math.max(0, Date.parse(until) - Date.parse(start)) / 60_000),
    ['Split', srm.is_mismatch ? 'Not as weighted' : 'As weighted'],
  ];
  return `<dl class="facts">${all.map(([term = '', value = '']) => `<div><dt>${escape(term)}</dt><dd>${escape(value)}</dd></div>`).join('')}</dl>`;
}

/** What it is counted in, and how many; under two days hours, under two hours minutes. */
function lasted(minutes: number): readonly [term: string, value: string] {
  if (minutes < 120) return ['Minutes', whole(minutes)];
  if (minutes < 2 * 1440) return ['Hours', (minutes / 60).toFixed(1)];
  const days = minutes / 1440;
  return ['Days', days >= 10 ? whole(days) : days.toFixed(1)];
}

function section(title: string, lead: string, metrics: readonly MetricReport[], report: ExperimentReport): string {
  if (metrics.length === 0) return '';
  return `<h2>${title}</h2>\n<p>${escape(lead)}</p>\n${metrics.map((metric) => metricPart(metric, report)).join('\n')}`;
}

function metricPart(metric: MetricReport, report: ExperimentReport): string {
  const { name, description, role } = metric;
  const place = report.metrics.indexOf(metric);
  const plot = intervalPlot(metric, `metric-${place}`) ?? '<p>There are too few units for an interval.</p>';
  return `<h3>${escape(name)} ${metric.comparisons.map((one) => badge(one, metric.comparisons.length > 1)).join(' ')}</h3>
<p>${escape(description ?? meaningOf(metric))}</p>
${plot}
${table({
  caption: `${name} by arm: ${meaningOf(metric)}. Intervals are of the difference${showing(metric).unit === 'difference' ? '' : `, ${showing(metric).unit}`}.`,
  head: [
    'Arm',
    'Units',
    'Value',
    'Difference',
    'Always valid',
    'One look',
    'Relative lift',
    role === 'goal' ? 'p, corrected' : 'p',
    'Verdict',
  ],
  rows: metric.arms.map((value) => armRow(metric, value)),
})}
${cupedTable(metric)}`;
}

function meaningOf({ kind, aggregate, direction }: MetricReport): string {
  const better = { up: '; more is better', down: '; less is better', none: '' }[direction];
  if (kind === 'quantile') return `a quantile of all values${better}`;
  if (kind === 'ratio') return `a sum over another${better}`;
  const what = { any: 'share of units with it', count: 'how many a unit', mean: 'mean a unit', sum: 'sum a unit' };
  return `${what[(aggregate ?? 'sum') as keyof typeof what]}${better}`;
}

function armRow(metric: MetricReport, { arm, units, value, se }: MetricReport['arms'][number]): readonly string[] {
  const of = `${show(value)}${se === null ? '' : ` ± ${show(se)}`}`;
  const one = metric.comparisons.find((comparison) => comparison.arm === arm);
  if (one === undefined)
    return [arm === 'control' ? arm : `${arm} (control)`, whole(units), of, '', '', '', '', '', ''];
  const { difference, relative } = one;
  const { of: shown, format } = showing(metric);
  return [
    arm,
    whole(units),
    of,
    difference.estimate === null ? '–' : signed(difference.estimate),
    ...intervals(shown(one), format),
    relative?.estimate === null || relative === null ? '–' : percent(relative.estimate),
    show(one.adjusted_p ?? difference.p),
    html(badge(one, false)),
  ];
}

function intervals(
  { always, fixed }: Pick<Effect, 'always' | 'fixed'>,
  format: (value: number) => string,
): readonly string[] {
  return [interval(always, format), interval(fixed, format)];
}

function cupedTable({ name, comparisons }: MetricReport): string {
  const rows = comparisons.flatMap(({ arm, cuped }) =>
    cuped === null
      ? []
      : [
          [
            arm,
            cuped.estimate === null ? '–' : signed(cuped.estimate),
            ...intervals(cuped, signed),
            show(cuped.p),
            cuped.variance_reduction === null ? '–' : `${Math.round(cuped.variance_reduction * 100)} %`,
          ],
        ],
  );
  if (rows.length === 0) return '';
  return table({
    caption: `${name}, with what units did before taken out (CUPED)`,
    head: ['Arm', 'Difference', 'Always valid', 'One look', 'p', 'Noise taken out'],
    rows,
  });
}

const SIGNS: Readonly<Record<ArmComparison['verdict'], string>> = {
  better: '▲',
  worse: '▼',
  higher: '▲',
  lower: '▼',
  undecided: '●',
};

function badge({ arm, verdict }: ArmComparison, isNamed: boolean): string {
  return `<span class="badge ${verdict}"><span aria-hidden="true">${SIGNS[verdict]}</span> ${isNamed ? `${escape(arm)} ` : ''}${verdict}</span>`;
}

function armsTable({ arms, control, srm }: ExperimentReport): string {
  return table({
    caption: 'Units by arm',
    head: ['Arm', 'Version', 'Weight', 'Units', 'Expected by weight'],
    rows: arms.map(({ name, version, weight, units }, place) => [
      armLabel(name, control),
      String(version),
      `${weight} %`,
      whole(units),
      whole(srm.expected[place] ?? 0),
    ]),
  });
}

function splitSentence({ srm }: ExperimentReport): string {
  const told = `p ${show(srm.p)} (χ²), evidence ${show(srm.e)}, a mismatch from 1000 on`;
  return srm.is_mismatch
    ? `No: arms did not get the units that their weights say (${told}). Something loses units in one arm, and what is left can't be compared.`
    : `Yes: arms got the units that their weights say (${told}).`;
}
