// `npm run simulate -- NAME|all [--quick]`: whether the statistics keep what they claim, where the truth is known. Prints
// each figure beside its bound, and ends with status 1 where one is broken. Same seeds, same figures.

import { parseArgs } from 'node:util';
import { SIMULATIONS } from './simulations.ts';

const { values, positionals } = parseArgs({
  options: { quick: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const [name = 'all'] = positionals;
const chosen = Object.entries(SIMULATIONS).filter(([each]) => name === 'all' || each === name);
if (chosen.length === 0) {
  console.error(`There is no simulation "${name}": ${Object.keys(SIMULATIONS).join(', ')}, all.`);
  process.exitCode = 2;
}

let broken = 0;
for (const [each, simulate] of chosen) {
  const started = performance.now();
  const { title, about, lines } = simulate({ isQuick: values.quick });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`\n${each}: ${title} (${seconds} s)\n${about}.`);
  const widths = [
    Math.max(...lines.map(({ what }) => what.length)),
    Math.max(...lines.map(({ figure }) => figure.length)),
  ];
  for (const { what, figure, bound, holds } of lines) {
    const mark = bound === '' ? '' : holds ? 'ok' : 'BROKEN';
    console.log(`  ${what.padEnd(widths[0] ?? 0)}  ${figure.padEnd(widths[1] ?? 0)}  ${bound}  ${mark}`.trimEnd());
    if (!holds) broken++;
  }
}
if (chosen.length > 0) console.log(broken === 0 ? '\nevery bound holds' : `\n${broken} bounds are broken`);
if (broken > 0) process.exitCode = 1;
