// Writes what a simulation gave into docs/reference/statistics.md, between the marks of its name: the page's figures are
// the command's.

import type { SimulationRun } from './simulation.ts';

/** Throws where the page has no marks of that name. */
export function intoPage(page: string, name: string, run: SimulationRun): string {
  const [begin, end] = [`<!-- simulate ${name} -->`, '<!-- end -->'];
  const from = page.indexOf(begin);
  const to = page.indexOf(end, from);
  if (from < 0 || to < 0) throw new RangeError(`the page has no "${begin} … ${end}"`);
  return `${page.slice(0, from + begin.length)}\n${toMarkdown(run)}\n${page.slice(to)}`;
}

function toMarkdown({ about, lines }: SimulationRun): string {
  const rows = lines.map(({ what, figure, bound, holds }) => {
    const verdict = bound === '' ? '' : `${bound}: ${holds ? 'holds' : '**broken**'}`;
    return `| ${what.trim()} | ${figure} | ${verdict} |`;
  });
  return [`${about}.`, '', '| | measured | bound |', '|---|---|---|', ...rows].join('\n');
}
