// `npm run simulate -- NAME|all [--quick|--write]`: whether the statistics keep what they claim, where the truth is known.
// Prints each figure beside its bound, and ends with status 1 where one is broken. Same seeds, same figures; `--write`
// puts them into docs/reference/statistics.md.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { intoPage } from './into-page.ts';
import type { SimulationRun } from './simulation.ts';
import { SIMULATIONS } from './simulations.ts';

const page = fileURLToPath(new URL('../../docs/reference/statistics.md', import.meta.url));
const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [name = 'all'] = positionals;
const chosen = Object.entries(SIMULATIONS).filter(([each]) => name === 'all' || each === name);
let broken = 0;
if (chosen.length === 0) {
  console.error(`There is no simulation "${name}": ${Object.keys(SIMULATIONS).join(', ')}, all.`);
  process.exitCode = 2;
} else if (values.quick && values.write) {
  console.error('--write takes a full run: leave --quick out.');
  process.exitCode = 2;
} else {
  for (const [each, simulate] of chosen) {
    const started = performance.now();
    const run = await simulate({ isQuick: values.quick });
    print(each, run, (performance.now() - started) / 1000);
    broken += run.lines.filter(({ holds }) => !holds).length;
    if (values.write) writeFileSync(page, intoPage(readFileSync(page, 'utf8'), each, run));
  }
  console.log(broken === 0 ? '\nevery bound holds' : `\n${broken} bounds are broken`);
  if (broken > 0) process.exitCode = 1;
}

function print(each: string, { title, about, lines }: SimulationRun, seconds: number): void {
  console.log(`\n${each}: ${title} (${seconds.toFixed(1)} s)\n${about}.`);
  const wide = Math.max(...lines.map(({ what }) => what.length));
  const figures = Math.max(...lines.map(({ figure }) => figure.length));
  for (const { what, figure, bound, holds } of lines) {
    const mark = bound === '' ? '' : holds ? 'ok' : 'BROKEN';
    console.log(`  ${what.padEnd(wide)}  ${figure.padEnd(figures)}  ${bound}  ${mark}`.trimEnd());
  }
}
