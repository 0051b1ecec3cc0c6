import { expect, it } from 'vitest';
import { sparkline } from '../../src/cli/bars.ts';

it('draws numbers from 0 to the greatest, and gaps where there are none', () => {
  expect(sparkline([0, 1, null, 4, 8])).toBe('▁▂ ▅█');
  expect(sparkline([0, 0])).toBe('▁▁');
  expect(sparkline([])).toBe('');
  expect(sparkline([null, null])).toBe('  ');
});

it('draws the greatest of each stretch where there are more numbers than room', () => {
  const line = sparkline(
    Array.from({ length: 120 }, (_, at) => (at === 71 ? 10 : 1)),
    60,
  );
  expect(line).toHaveLength(60);
  expect(line[35]).toBe('█');
  expect(new Set([...line].filter((_, at) => at !== 35))).toEqual(new Set(['▂']));
});
