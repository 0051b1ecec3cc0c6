// By what outputs are cached: all that a task goes by, as its content, and nothing else.

import { expect, it } from 'vitest';
import type { Json } from '../../src/core/index.ts';
import type { StepAction } from '../../src/definitions/index.ts';
import { cacheKeys } from '../../src/orchestrator/driver/cache-keys.ts';
import type { StepOrder } from '../../src/orchestrator/step/order.ts';
import { orderOf } from '../support/step-order.ts';

const keyOf = (action: StepAction, more: Partial<StepOrder> = {}, index = 0): string =>
  cacheKeys(orderOf(action, { index: false, ...more }))(index);
const files = [{ path: 'fit.py', hash: 'a' }];
const script: StepAction = { kind: 'python', script: 'fit.py', args: {}, files };
const reading = (reads: Readonly<Record<string, Json>>): Partial<StepOrder> => ({ cache: { reads } });
const SHA = 'a'.repeat(64);

it('what its tasks read outside of their order is in it', () => {
  expect(keyOf(script, reading({ 'machine.python': '3.11.2' }))).toBe(
    keyOf(script, reading({ 'machine.python': '3.11.2' })),
  );
  for (const other of [{ 'machine.python': '3.12.0' }, { 'machine.python': null }, { spine: '3.11.2' }, {}])
    expect(keyOf(script, reading(other))).not.toBe(keyOf(script, reading({ 'machine.python': '3.11.2' })));
});

it('who runs it, and for how long it may, is not in it', () => {
  const more = { run: 'b', pipeline: 'q', step: 't', timeoutMs: 1000, resources: { cpu: 2 } };
  expect(keyOf(script, more)).toBe(keyOf(script));
  expect(keyOf(script, { params: { seed: 1 } })).not.toBe(keyOf(script));
});

it('a file that a need gives is in it by its SHA-256: where it lies, and of which run it is, is not', () => {
  const set = (path: string, sha256 = SHA) => ({
    data: { id: 'i', path, sha256, size: 3, uri: `blob:${sha256}`, rows: 7 },
  });
  const key = keyOf(script, { needs: set('/runs/1/set.parquet') });
  expect(keyOf(script, { needs: set('/elsewhere/2/set.parquet') })).toBe(key);
  expect(keyOf(script, { needs: set('/runs/1/set.parquet', 'b'.repeat(64)) })).not.toBe(key);
  expect(keyOf(script, { needs: { data: { ...set('/runs/1/set.parquet').data, rows: 8 } } })).not.toBe(key);
  const nested = (path: string) => ({ fits: [{ files: { 'm.onnx': { sha256: SHA, path } } }] });
  expect(keyOf(script, { needs: nested('/a') })).toBe(keyOf(script, { needs: nested('/b') }));
  // Text that says no content is text.
  expect(keyOf(script, { needs: { data: { path: '/a' } } })).not.toBe(
    keyOf(script, { needs: { data: { path: '/b' } } }),
  );
});

const items = (...all: readonly unknown[]): Partial<StepOrder> => ({ foreach: { kind: 'items', items: all } });

it('an item is in it by its content, wherever it stands', () => {
  expect(keyOf(script, items({ a: 1, b: 2 }))).toBe(keyOf(script, items('x', { b: 2, a: 1 }), 1));
  expect(keyOf(script, items(1))).not.toBe(keyOf(script, items(2)));
  expect(keyOf(script, items(7, 7), 0)).toBe(keyOf(script, items(7, 7), 1));
  expect(keyOf(script, items('1'))).not.toBe(keyOf(script, items(1)));
  const grid = (...depths: readonly number[]): Partial<StepOrder> => ({
    foreach: { kind: 'grid', axes: { lr: [1, 2], depth: depths } },
  });
  const before = new Set([0, 1, 2, 3].map((at) => keyOf(script, grid(3, 5), at)));
  const after = Array.from({ length: 6 }, (_, at) => keyOf(script, grid(3, 4, 5), at));
  expect(after.filter((key) => before.has(key))).toHaveLength(4);
});

it('an item that is no number is the null that its task is given', () => {
  expect(keyOf(script, items({ lr: Number.NaN }))).toBe(keyOf(script, items({ lr: null })));
});

it('its place is in it where the step is given that', () => {
  const own = (index: number, scope = ''): string => cacheKeys(orderOf(script, { ...items(7, 7), scope }))(index);
  expect(own(0)).not.toBe(own(1));
  expect(own(0)).not.toBe(own(0, '3'));
  expect(keyOf(script, { ...items(7), scope: '1' })).toBe(keyOf(script, { ...items(7), scope: '2' }));
});
