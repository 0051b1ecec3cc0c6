// A full run walks all records of a store: what it holds of them in memory doesn't grow with how many there are.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it, vi } from 'vitest';
import { scanStoredKeys } from '../../src/offline/materialize/gone-keys.ts';
import type { OnlineStore } from '../../src/online/index.ts';
import type { NodeLinks } from '../../src/online/redis/cluster/node-links.ts';
import { createRecordKeys } from '../../src/online/redis/record-keys.ts';
import type { CommandBuffer } from '../../src/online/redis/resp/command-buffer.ts';
import { scanRecords } from '../../src/online/redis/scan-records.ts';
import { openDuckDb } from '../../src/storage/index.ts';
import { refOf } from '../support/online-writes.ts';
import { folderOfTest } from '../support/new-folder.ts';
import { fullIt } from '../support/tier.ts';

const PAGE = 1000;

/** How many members a set or a map had at most while `work` went on. */
async function mostHeld(work: () => Promise<void>): Promise<number> {
  let most = 0;
  const [add, set] = [Set.prototype.add, Map.prototype.set];
  vi.spyOn(Set.prototype, 'add').mockImplementation(function (this: Set<unknown>, member) {
    add.call(this, member);
    most = Math.max(most, this.size);
    return this;
  });
  vi.spyOn(Map.prototype, 'set').mockImplementation(function (this: Map<unknown, unknown>, key, value) {
    set.call(this, key, value);
    most = Math.max(most, this.size);
    return this;
  });
  try {
    await work();
  } finally {
    vi.restoreAllMocks();
  }
  return most;
}

/** Walks a Redis with so many records, each an empty hash; SCAN gives a page of them at a time. */
async function walkRedis(pages: number): Promise<void> {
  let given = 0;
  const word = (text: string): string => `$${text.length}\r\n${text}\r\n`;
  const page = (): string => {
    const found = Array.from({ length: PAGE }, () => word(`hr:{p:e:${(given++).toString(36)}}`));
    return `*2\r\n${word(given < pages * PAGE ? '1' : '0')}*${PAGE}\r\n${found.join('')}`;
  };
  const connection = {
    isReady: true,
    async request(encode: (out: CommandBuffer) => number, onReply: (bytes: Buffer, start: number, at: number) => void) {
      let isScan = false;
      const nothing = (): void => {};
      const out = { words: () => void (isScan = true), raw: nothing, bytes: nothing };
      // Those of its methods that a walk uses.
      const commands = encode(out as unknown as CommandBuffer);
      if (isScan) onReply(Buffer.from(page()), 0, 0);
      else for (let i = 0; i < commands; i++) onReply(Buffer.from('*0\r\n'), 0, i);
    },
  };
  // What a walk uses of them.
  const links = { topology: { nodes: [{ name: 'redis' }] }, toNode: () => connection } as unknown as NodeLinks;
  for await (const _ of scanRecords(links, createRecordKeys('p'), 'e', 'v@1'));
  expect(given).toBe(pages * PAGE);
}

/** Looks for keys without facts in a store of so many, each of them pushed to. */
async function lookForGone(pages: number): Promise<void> {
  const folder = folderOfTest();
  const duckdb = await openDuckDb({ tempDirectory: join(folder, 'spill'), threads: 1 });
  const parts = [{ writer: 1, cut: 1, boundary: -Infinity, fold: new Uint8Array() }];
  const store: Pick<OnlineStore, 'scan'> = {
    async *scan() {
      for (let i = 0; i < pages * PAGE; i++) yield { key: refOf(`${i}`).key, record: { base: undefined, parts } };
    },
  };
  try {
    const covered = { floor: 2, cuts: new Map<number, number>() };
    // It is asked for its records alone.
    const keys = await scanStoredKeys(duckdb, store as OnlineStore, { recordsOf: 'e', version: 'v@1' }, 1, covered);
    await keys.close();
  } finally {
    await duckdb.close();
  }
}

/** So much heap; DuckDB's memory is none of it. */
const HEAP_MB = 256;
const MANY_KEYS = 20_000_000;

describe('a full run', () => {
  // twin: test/unit/full-run-memory.test.ts > %s, and holds two pages at most of ten pages of keys (datapath/R2)
  fullIt('finds the one key of 20 million that has no facts any more, on a heap of 256 MB', async () => {
    const program = fileURLToPath(new URL('../support/walk-many-keys.ts', import.meta.url));
    const args = [`--max-old-space-size=${HEAP_MB}`, program, String(MANY_KEYS), join(folderOfTest(), 'spill')];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 600_000 });
    const { keys, gone, expected } = JSON.parse(stdout);
    expect({ keys, gone }).toEqual({ keys: MANY_KEYS, gone: [expected] });
  });

  it.each([
    ['walks the records of a Redis', walkRedis],
    ['looks for keys that have no facts any more', lookForGone],
  ])('%s, and holds two pages at most of ten pages of keys (datapath/R2)', async (_, work) => {
    expect(await mostHeld(() => work(10))).toBeLessThanOrEqual(2 * PAGE);
  });
});
