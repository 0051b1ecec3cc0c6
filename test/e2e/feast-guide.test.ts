// The guide on Feast's clients, its commands typed beside a server; what its Python prints is held by test/interop/feast.test.ts.

import { expect, it } from 'vitest';
import { serveGuide } from '../support/served-guide.ts';

const guide = serveGuide('feast-clients.md');

it('shows what its commands print', () => {
  expect(guide.type()).toBe(3);
}, 120_000);
