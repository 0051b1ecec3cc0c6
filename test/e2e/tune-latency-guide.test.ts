// The guide on latency, typed from top to bottom beside a server that runs.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { scenarios } from '../../load-tests/scenarios.ts';
import { serveGuide } from '../support/served-guide.ts';

const guide = serveGuide('tune-latency.md');

it('shows what its commands print', () => {
  expect(guide.type()).toBeGreaterThanOrEqual(3);
  expect(JSON.parse(readFileSync(guide.project().file('answer.json'), 'utf8'))).toMatchObject({ endpoint: 'checkout' });
}, 120_000);

it('shows load tests that there are, with options that they take', () => {
  const program = readFileSync(join(import.meta.dirname, '../../load-tests/run.ts'), 'utf8');
  const lines = [...readFileSync(guide.path, 'utf8').matchAll(/^npm run load -- (.+)$/gm)].map(([, line = '']) =>
    line.split(' '),
  );
  expect(lines.length).toBeGreaterThan(2);
  for (const words of lines) {
    const [name = ''] = words;
    if (!name.startsWith('--')) expect(scenarios.map((scenario) => scenario.name)).toContain(name);
    for (const option of words.filter((word) => word.startsWith('--'))) expect(program).toContain(`  ${option}`);
  }
});
