// A run's bases on their way to the nodes of a store: one pass over the keys feeds all, and a node that is lost gets its own again.

import { expect, it } from 'vitest';
import { HeadraceError } from '../../src/core/index.ts';
import { writeNodes } from '../../src/offline/materialize/node-writer.ts';
import type { BaseWrite, OnlineStore, RunRow, StoreRun } from '../../src/online/index.ts';

const write = (key: string) => ({ entity: 'e', key: Buffer.from(key), base: Buffer.of() }) as unknown as BaseWrite;
const nameOf = (key: Uint8Array): string => Buffer.from(key).toString();

it('a node that is lost gets nothing more in that pass, and all of its keys in the next', async () => {
  const steps: string[] = [];
  let isFailing = true;
  const storeRun = {
    nodes: ['a', 'b'],
    nodeOf: (_entity: string, key: Uint8Array) => nameOf(key).charAt(0),
    begin: async (node: string) => void steps.push(`begin ${node}`),
    write: async (_node: string, writes: readonly BaseWrite[]) => {
      steps.push(...writes.map(({ key }) => nameOf(key)));
      if (!isFailing) return;
      isFailing = false;
      throw new HeadraceError('HR_ONLINE_UNAVAILABLE', 'gone');
    },
    mark: async (node: string) => void steps.push(`mark ${node}`),
  } as unknown as StoreRun;
  await writeNodes({
    store: {} as OnlineStore,
    storeRun,
    row: { isFull: true } as RunRow,
    retryMs: [0],
    async pass(give) {
      await give([write('a1'), write('b1')]);
      await give([write('a2'), write('b2')]);
    },
  });
  expect(steps.join(', ')).toBe('begin a, begin b, a1, b1, b2, mark b, begin a, a1, a2, mark a');
});
