// A metric's intervals, arm by arm: the wide ones hold at every look, the narrow ones at one.

import type { ArmComparison, MetricReport } from '../report/experiment-report.ts';
import { show } from '../report/figures.ts';
import { showing, type ShownEffect } from '../report/shown-effect.ts';
import { attributes, svg, svgLine, svgText } from './markup.ts';
import { scale } from './scale.ts';

const WIDTH = 720;
const LEFT = 150;
/** As wide as what stands beside zero, where all intervals lie below it. */
const RIGHT = 72;
const ROW = 46;
const TOP = 30;

/** What less and more of it are. */
const SIDES = { up: ['worse', 'better'], down: ['better', 'worse'], none: ['lower', 'higher'] } as const;

/** Undefined where there is no interval to draw. */
export function intervalPlot(metric: MetricReport, id: string): string | undefined {
  const { of, format, unit } = showing(metric);
  const rows = metric.comparisons.flatMap((one) => {
    const effect = of(one);
    return effect.fixed.includes(null) ? [] : [{ one, effect }];
  });
  if (rows.length === 0) return undefined;
  const ends = rows.flatMap(({ effect }) => [...effect.always, ...effect.fixed].filter((end) => end !== null));
  const x = scale(Math.min(0, ...ends), Math.max(0, ...ends), LEFT, WIDTH - RIGHT);
  const height = TOP + rows.length * ROW + 34;
  const bottom = height - 34;
  const ticks = x.ticks.map(
    (tick) =>
      svgLine(x.at(tick), TOP - 6, x.at(tick), bottom, { class: tick === 0 ? 'zero' : 'grid' }) +
      svgText(x.at(tick), bottom + 18, tick === 0 ? '0' : format(tick), { 'text-anchor': 'middle', class: 'tick' }),
  );
  const [less, more] = SIDES[metric.direction];
  const sides = [
    svgText(x.at(0) - 8, TOP - 14, `◂ ${less}`, { 'text-anchor': 'end', class: 'side' }),
    svgText(x.at(0) + 8, TOP - 14, `${more} ▸`, { class: 'side' }),
  ];
  const bars = rows.map(({ one, effect }, i) => row(one, effect, TOP + i * ROW + ROW / 2, x.at, format));
  return svg({
    id,
    width: WIDTH,
    height,
    title: `${metric.name}: difference to the control${unit === 'difference' ? '' : `, ${unit}`}`,
    description: rows.map(({ one, effect }) => sentence(one, effect, format)).join(' '),
    body: [...ticks, ...sides, ...bars].join('\n'),
  });
}

function row(
  { arm, verdict }: ArmComparison,
  effect: ShownEffect,
  y: number,
  at: (value: number) => number,
  format: (value: number) => string,
): string {
  const [lo, hi] = effect.always;
  const [from, to] = effect.fixed as readonly [number, number];
  const estimate = effect.estimate as number;
  const always =
    lo === null || hi === null
      ? ''
      : [
          svgLine(at(lo), y, at(hi), y, { class: `always ${verdict}` }),
          ...[lo, hi].map((end) => svgLine(at(end), y - 6, at(end), y + 6, { class: `always ${verdict}` })),
        ].join('');
  const fixed = `<rect${attributes({ x: at(from), y: y - 6, width: Math.max(1, at(to) - at(from)), height: 12, rx: 3, class: `fixed ${verdict}` })}/>`;
  const point = `<circle${attributes({ cx: at(estimate), cy: y, r: 4.5, class: `point ${verdict}` })}/>`;
  return [
    svgText(0, y - 2, arm, { class: 'label' }),
    svgText(0, y + 14, format(estimate), { class: 'value' }),
    always,
    fixed,
    point,
  ].join('');
}

function sentence(
  { arm, verdict, difference }: ArmComparison,
  effect: ShownEffect,
  format: (value: number) => string,
): string {
  const [lo, hi] = effect.always;
  const range =
    lo === null || hi === null ? 'no always-valid interval yet' : `always valid from ${format(lo)} to ${format(hi)}`;
  return `${arm}: ${format(effect.estimate as number)}, ${range}, p ${show(difference.p)}: ${verdict}.`;
}
