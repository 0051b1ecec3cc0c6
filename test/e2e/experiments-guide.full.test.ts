// The guide on experiments, typed from top to bottom beside a server that runs.
// twin: test/integration/experiments.test.ts > tell a planted difference from none

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { serveGuide } from '../support/served-guide.ts';
import { headraceJson } from '../support/serving-project.ts';

const guide = serveGuide('experiments.md');

it('shows what its commands print, and leaves a page and two reports', () => {
  expect(guide.type()).toBe(1);
  expect(readFileSync(guide.project().file('trial.html'), 'utf8')).toContain('<h1>trial</h1>');
  const found = headraceJson(guide.project(), ['experiments', 'show', 'trial']);
  expect(found).toMatchObject({
    state: 'ended',
    phases: [{ phase: 1 }, { phase: 2, end_reason: 'decided for version 2' }],
    reports: [{ phase: '1' }],
  });
  const report = headraceJson(guide.project(), ['experiments', 'report', 'trial', '--phase', '1']);
  // Who was asked about, each in some arm.
  expect(report).toMatchObject({
    srm: { is_mismatch: false },
    metrics: [{ name: 'spent' }, { name: 'p90' }, { name: 'returned' }],
  });
}, 120_000);
