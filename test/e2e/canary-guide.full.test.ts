// The guide on canaries, typed from top to bottom beside a server that runs.
// twin: test/integration/rollout-served.test.ts > is promoted step by step by what its servers count

import { expect, it } from 'vitest';
import { serveGuide } from '../support/served-guide.ts';
import { headraceJson } from '../support/serving-project.ts';

const guide = serveGuide('canary.md');

it('shows what its commands print', () => {
  expect(guide.type()).toBe(2);
  const { rollouts } = headraceJson(guide.project(), ['rollout', 'list']) as {
    rollouts: { state: string; candidate: number }[];
  };
  expect(rollouts).toMatchObject([
    { state: 'aborted', candidate: 1 },
    { state: 'promoted', candidate: 2 },
  ]);
}, 120_000);
