// A small pushed source for tests of the push log.

import type { SourceSpec } from '../../src/definitions/index.ts';

export const numbersSource: SourceSpec = {
  name: 'numbers',
  kind: 'pushed',
  location: {},
  columns: [
    { name: 'n', type: { kind: 'int64' } },
    { name: 'text', type: { kind: 'string' } },
    { name: 'at', type: { kind: 'timestamp' } },
  ],
  derive: [],
  eventTime: 'at',
  knownTime: { kind: 'after', micros: 0 },
  pushes: 'keep',
};
