// Parts on their way to a store's nodes while records move between them, as after a failover of a cluster's slots.

import { describe, expect, it } from 'vitest';
import { type EncodedKey, encodeKey, HeadraceError, type Logger, silentLogger } from '../../src/core/index.ts';
import { createPartTable, type Part } from '../../src/ingestion/part-table.ts';
import { createPartWriter } from '../../src/ingestion/part-writer.ts';
import type { PartWrite } from '../../src/online/index.ts';

const keyOf = (name: string): EncodedKey => encodeKey([{ kind: 'string' }], [name]) as EncodedKey;

/** More than go in one write: the last comes in one of its own. */
function manyParts(): { readonly parts: readonly Part[]; readonly last: Part } {
  const table = createPartTable(1, 1);
  const shelf = table.shelf('thing', 'v@1', -Infinity);
  const parts = Array.from({ length: 2001 }, (_, i) => {
    const part = shelf.add(`key ${i}`, keyOf(`key ${i}`));
    table.put(part, Uint8Array.of(1));
    return part;
  });
  return { parts, last: parts.at(-1) as Part };
}

/** A store whose node `gone` takes nothing; all is there at first. */
function openStore() {
  const moved = new Set<string>();
  const nameOf = (key: EncodedKey): string => Buffer.from(key).toString('hex');
  let tries = 0;
  return {
    written: [] as PartWrite[],
    get tries() {
      return tries;
    },
    moveToOther(parts: readonly Part[]): void {
      for (const { key } of parts) moved.add(nameOf(key));
    },
    nodeOf: (_entity: string, key: EncodedKey): string => (moved.has(nameOf(key)) ? 'other' : 'gone'),
    async putParts(parts: readonly PartWrite[]): Promise<undefined> {
      tries++;
      if (parts.some(({ key }) => !moved.has(nameOf(key)))) throw new HeadraceError('HR_ONLINE_UNAVAILABLE', 'gone');
      this.written.push(...parts);
    },
  };
}

const inLog = () => {
  const lines: object[] = [];
  const logger: Logger = { ...silentLogger, info: (fields, message) => void lines.push({ ...fields, message }) };
  return { lines, logger };
};

describe('parts that wait for a node', () => {
  it('go to another as soon as that has them, those behind the first write too', async () => {
    const store = openStore();
    const { parts, last } = manyParts();
    const writer = createPartWriter(store, { holder: 1, token: 'a' }, silentLogger);
    const staying = writer.write(parts.slice(0, -1));
    const moving = writer.write([last]);
    await expect.poll(() => store.tries).toBeGreaterThan(0);
    store.moveToOther([last]);
    await moving;
    expect(store.written.map(({ key }) => key)).toEqual([last.key]);
    expect(writer.failure).toMatchObject({ code: 'HR_ONLINE_UNAVAILABLE' });
    store.moveToOther(parts);
    await staying;
    expect(store.written).toHaveLength(parts.length);
  });

  it('are told of once none waits for it any more', async () => {
    const store = openStore();
    const { lines, logger } = inLog();
    const writer = createPartWriter(store, { holder: 1, token: 'a' }, logger);
    const { parts } = manyParts();
    const written = writer.write(parts);
    await expect.poll(() => writer.failure).toBeDefined();
    store.moveToOther(parts);
    await written;
    const message = 'nothing waits for that node of the online store any more';
    await expect.poll(() => lines).toEqual([{ node: 'gone', message }]);
    expect(writer.failure).toBeUndefined();
  });
});
