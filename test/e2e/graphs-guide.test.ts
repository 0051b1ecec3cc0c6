// The guide on graphs, typed from top to bottom beside a server that runs.

import { expect, it } from 'vitest';
import { serveGuide } from '../support/served-guide.ts';

const guide = serveGuide('graphs.md');

it('shows what its commands print', () => {
  expect(guide.type()).toBe(4);
}, 120_000);
