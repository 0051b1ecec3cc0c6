// By what outputs are cached: another interpreter is another output.

import { expect, it } from 'vitest';
import type { StepAction } from '../../src/definitions/index.ts';
import { cacheKeys } from '../../src/orchestrator/driver/cache-keys.ts';
import { openPythonVersion } from '../../src/orchestrator/step/python-environment.ts';
import type { StepOrder } from '../../src/orchestrator/step/order.ts';
import { orderOf } from '../support/step-order.ts';

const keyOf = (action: StepAction, python: string | null, more: Partial<StepOrder> = {}): string =>
  cacheKeys(orderOf(action, more), python)(0);
const files = [{ path: 'fit.py', hash: 'a' }];
const script: StepAction = { kind: 'python', script: 'fit.py', args: {}, files };
const command: StepAction = { kind: 'shell', command: 'true' };

it('a script’s output is another’s by another Python, and no other step’s is', () => {
  expect(keyOf(script, '3.11.2')).toBe(keyOf(script, '3.11.2'));
  expect(keyOf(script, '3.11.2')).not.toBe(keyOf(script, '3.12.0'));
  expect(keyOf(script, '3.11.2')).not.toBe(keyOf(script, null));
  expect(keyOf(command, '3.11.2')).toBe(keyOf(command, '3.12.0'));
});

it('who runs it, and for how long it may, is not in it', () => {
  const more = { run: 'b', pipeline: 'q', step: 't', timeoutMs: 1000, resources: { cpu: 2 } };
  expect(keyOf(script, '3.11.2', more)).toBe(keyOf(script, '3.11.2'));
  expect(keyOf(script, '3.11.2', { params: { seed: 1 } })).not.toBe(keyOf(script, '3.11.2'));
});

it('the version of a Python that is not there is null', async () => {
  expect(await openPythonVersion('no-such-python')()).toBeNull();
  expect(await openPythonVersion('python3')()).toMatch(/^3\.\d+\.\d+/);
});
