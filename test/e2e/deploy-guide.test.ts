// The guide on deploying a model, typed from top to bottom beside a server that runs.

import { expect, it } from 'vitest';
import { serveGuide } from '../support/served-guide.ts';

const guide = serveGuide('deploy-a-model.md');

it('shows what its commands print', () => {
  expect(guide.type()).toBe(7);
}, 120_000);
