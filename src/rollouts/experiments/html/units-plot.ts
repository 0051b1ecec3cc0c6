// Units over time by arm, and units by arm beside those that the weights say.

import type { ExperimentReport } from '../report/experiment-report.ts';
import { whole } from '../report/figures.ts';
import { attributes, svg, svgLine, svgText } from './markup.ts';
import { scale } from './scale.ts';

const WIDTH = 720;
const HEIGHT = 240;
const LEFT = 64;
const RIGHT = 96;
const TOP = 14;
const BOTTOM = 34;

/** The class of an arm's colour, by its place. */
export function armClass(place: number): string {
  return `arm arm-${place % 6}`;
}

export function timelinePlot({ timeline, arms, started_at: start }: ExperimentReport): string | undefined {
  const last = timeline.at(-1);
  if (last === undefined) return undefined;
  const times = timeline.map(({ at }) => Date.parse(at));
  const [from, to] = [Math.min(Date.parse(start), ...times), Math.max(...times)];
  const x = (time: number): number => LEFT + ((time - from) / Math.max(1, to - from)) * (WIDTH - LEFT - RIGHT);
  const y = scale(0, Math.max(1, ...last.units), HEIGHT - BOTTOM, TOP, 4);
  const grid = y.ticks.map(
    (tick) =>
      svgLine(LEFT, y.at(tick), WIDTH - RIGHT, y.at(tick), { class: 'grid' }) +
      svgText(LEFT - 8, y.at(tick) + 4, whole(tick), { 'text-anchor': 'end', class: 'tick' }),
  );
  const lines = arms.map(({ name }, place) => {
    const points = [
      [from, 0] as const,
      ...timeline.map(({ at, units }) => [Date.parse(at), units[place] ?? 0] as const),
    ];
    const path = points.map(
      ([time, units], i) => `${i === 0 ? 'M' : 'L'}${x(time).toFixed(1)} ${y.at(units).toFixed(1)}`,
    );
    const end = y.at(last.units[place] ?? 0);
    return (
      `<path${attributes({ d: path.join(''), class: `line ${armClass(place)}`, 'stroke-dasharray': DASHES[place % DASHES.length] ?? '' })}/>` +
      svgText(WIDTH - RIGHT + 8, spread(end, place, last.units, y.at), name, { class: `label ${armClass(place)}` })
    );
  });
  const dates = [from, to].map((time, i) =>
    svgText(x(time), HEIGHT - 10, timeText(time, to - from), {
      'text-anchor': i === 0 ? 'start' : 'end',
      class: 'tick',
    }),
  );
  return svg({
    id: 'timeline',
    width: WIDTH,
    height: HEIGHT,
    title: 'Units seen, by arm, over time',
    description: arms.map(({ name, units }) => `${name}: ${whole(units)} units by the end.`).join(' '),
    body: [...grid, ...lines, ...dates].join('\n'),
  });
}

/** Of an axis so many milliseconds long. */
function timeText(time: number, length: number): string {
  return new Date(time)
    .toISOString()
    .slice(0, length < SHORT_MS ? 19 : 16)
    .replace('T', ' ');
}

/** Both ends of a shorter one may lie in one minute, or look as if it were longer. */
const SHORT_MS = 600_000;

/** Arms are told apart without colour, too. */
const DASHES = ['', '7 4', '2 4', '10 4 2 4', '12 6', '4 2'] as const;

// Labels of lines that end beside each other would lie on each other.
function spread(end: number, place: number, units: readonly number[], at: (value: number) => number): number {
  const order = units.map((value, i) => ({ i, y: at(value) })).toSorted((a, b) => a.y - b.y || a.i - b.i);
  let below = -Infinity;
  for (const one of order) {
    below = Math.max(one.y, below + 15);
    if (one.i === place) return below + 4;
  }
  return end + 4;
}

const BAR = 26;

export function splitPlot({ arms, srm }: ExperimentReport): string {
  const most = Math.max(1, ...arms.map(({ units }) => units), ...srm.expected);
  const left = 150;
  const at = (units: number): number => left + (units / most) * (WIDTH - left - 110);
  const height = arms.length * (BAR + 14) + 8;
  const bars = arms.map(({ name, units }, place) => {
    const top = 4 + place * (BAR + 14);
    const expected = at(srm.expected[place] ?? 0);
    return [
      svgText(0, top + BAR / 2 + 5, name, { class: 'label' }),
      `<rect${attributes({ x: left, y: top, width: Math.max(0, at(units) - left), height: BAR, rx: 3, class: `bar ${armClass(place)}` })}/>`,
      svgLine(expected, top - 4, expected, top + BAR + 4, { class: 'expected' }),
      svgText(Math.max(at(units), expected) + 8, top + BAR / 2 + 5, whole(units), { class: 'value' }),
    ].join('');
  });
  return svg({
    id: 'split',
    width: WIDTH,
    height,
    title: 'Units by arm, and how many the weights say',
    description: arms
      .map(({ name, units }, place) => `${name}: ${whole(units)} of ${whole(srm.expected[place] ?? 0)} expected.`)
      .join(' '),
    body: bars.join('\n'),
  });
}
