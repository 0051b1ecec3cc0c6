// What each test file cost when it was last measured on a quiet machine: test/costs.tsv, written by `npm test -- --profile` and
// `npm run test:full -- --profile`, read to order files and to cut a run into parts.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.ts';

const FILE = join(root, 'test', 'costs.tsv');
const HEAD = 'seconds\tcpu\tchildren\timport\ttests\tfile';

/** Seconds: by the wall clock, of CPU in the test's process and in the programs that it started, of importing the file. */
export interface Costs {
  readonly seconds: number;
  readonly cpu: number;
  readonly children: number;
  readonly import: number;
  readonly tests: number;
}

export function readCosts(): Map<string, Costs> {
  if (!existsSync(FILE)) return new Map();
  const lines = readFileSync(FILE, 'utf8').trimEnd().split('\n').slice(1);
  return new Map(
    lines.map((line) => {
      const [seconds, cpu, children, load, tests, file = ''] = line.split('\t');
      return [
        file,
        {
          seconds: Number(seconds),
          cpu: Number(cpu),
          children: Number(children),
          import: Number(load),
          tests: Number(tests),
        },
      ];
    }),
  );
}

/** Replaces the lines of the files that were measured, and leaves out files that are gone. */
export function writeCosts(measured: ReadonlyMap<string, Costs>): void {
  const all = new Map([...readCosts(), ...measured]);
  const lines = [...all]
    .filter(([file]) => existsSync(join(root, file)))
    .sort(([, a], [, b]) => b.seconds - a.seconds)
    .map(([file, costs]) =>
      [
        costs.seconds.toFixed(1),
        costs.cpu.toFixed(1),
        costs.children.toFixed(1),
        costs.import.toFixed(1),
        costs.tests,
        file,
      ].join('\t'),
    );
  writeFileSync(FILE, `${[HEAD, ...lines].join('\n')}\n`);
}
