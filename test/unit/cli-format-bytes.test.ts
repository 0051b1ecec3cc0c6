// Sizes as people read them.

import { expect, it } from 'vitest';
import { formatBytes } from '../../src/cli/format-bytes.ts';

it.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 KB'],
  [99_449, '99.4 KB'],
  [99_500, '100 KB'],
  [999_499, '999 KB'],
  [999_500, '1.0 MB'],
  [4_200_000, '4.2 MB'],
  [999_499_999, '999 MB'],
  [999_500_000, '1.0 GB'],
  [999_499_999_999, '999 GB'],
  [999_500_000_000, '1.0 TB'],
  // There is no greater unit.
  [12_345e12, '12345 TB'],
])('shows %d bytes as %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
