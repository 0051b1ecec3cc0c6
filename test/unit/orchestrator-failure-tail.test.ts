// What of a run's logs stands in its error.

import { expect, it } from 'vitest';
import { failureTail, logKey } from '../../src/orchestrator/run-logs.ts';

const lines = (attempt: number, count: number) => Array.from({ length: count }, (_, at) => `${attempt}: line ${at}`);

/** Of a run with these events, whose first attempt printed 20 lines, the second one nothing, and the others two each. */
async function tailOf(...kinds: readonly string[]): Promise<string> {
  const events = kinds.map((kind, at) => ({
    number: at + 1,
    kind,
    step: 'fit',
    scope: '1',
    index: 2,
    attempt: at + 1,
  }));
  const logs = new Map(
    events.map(({ attempt, ...at }) => [
      logKey({ runId: 'r', ...at, attempt }),
      Buffer.from(`${lines(attempt, [20, 0][attempt - 1] ?? 2).join('\n')}\n`),
    ]),
  );
  const store = { events: async (_: string, after = 0) => events.slice(after) };
  const deps = { objects: { get: async (key: string) => logs.get(key) }, workDirectory: '/nowhere' };
  return await failureTail(deps as never, store as never, 'r'); // all that it reads of them
}

it.each([
  ['the first task that failed has its last 15 lines', ['failed', 'failed', 'failed'], lines(1, 20).slice(-15)],
  ['one that printed nothing has none', ['claimed', 'failed', 'failed'], []],
  ['after a resume it is the first one since', ['failed', 'resumed', 'failed', 'failed'], lines(3, 2)],
  ['none is of a run that was resumed and has not failed since', ['failed', 'resumed', 'claimed'], []],
])('the error of a run has the end of a log: %s', async (_, kinds, expected) => {
  expect(await tailOf(...kinds)).toBe(expected.map((line) => `\n${line}`).join(''));
});
