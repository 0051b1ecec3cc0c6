// A full run's look for keys without facts, at a Redis that is played: so many keys (argument 1), all of which the run
// writes but one. Prints, as JSON, which keys are gone. DuckDB spills into the folder of argument 2.

import { performance } from 'node:perf_hooks';
import { type EncodedKey, encodeKey } from '../../src/core/index.ts';
import { scanStoredKeys } from '../../src/offline/materialize/gone-keys.ts';
import type { OnlineStore } from '../../src/online/index.ts';
import type { NodeLinks } from '../../src/online/redis/cluster/node-links.ts';
import { createRecordKeys } from '../../src/online/redis/record-keys.ts';
import type { CommandBuffer } from '../../src/online/redis/resp/command-buffer.ts';
import { scanRecords } from '../../src/online/redis/scan-records.ts';
import { openDuckDb } from '../../src/storage/index.ts';

const PAGE = 1000;
const GONE = 7;
const count = Number(process.argv[2]);
const keyOf = (i: number): EncodedKey => encodeKey([{ kind: 'int64' }], [BigInt(i)]) as EncodedKey;

let given = 0;
const page = (): Buffer => {
  const end = Math.min(count, given + PAGE);
  const words: string[] = [];
  for (; given < end; given++) {
    const word = `hr:{p:e:${Buffer.from(keyOf(given)).toString('base64url')}}`;
    words.push(`$${word.length}\r\n${word}\r\n`);
  }
  return Buffer.from(`*2\r\n$1\r\n${given < count ? 1 : 0}\r\n*${words.length}\r\n${words.join('')}`);
};
/** A record with a base of run 0 and nothing else. */
const record = Buffer.from(`*2\r\n$3\r\nv@1\r\n$16\r\n${'\0'.repeat(16)}\r\n`);
const connection = {
  isReady: true,
  async request(encode: (out: CommandBuffer) => number, onReply: (bytes: Buffer, start: number, at: number) => void) {
    let isScan = false;
    const nothing = (): void => {};
    // Those of its methods that a walk uses.
    const commands = encode({
      words: () => void (isScan = true),
      raw: nothing,
      bytes: nothing,
    } as unknown as CommandBuffer);
    if (isScan) onReply(page(), 0, 0);
    else for (let i = 0; i < commands; i++) onReply(record, 0, i);
  },
};
// What a walk uses of them.
const links = { topology: { nodes: [{ name: 'redis' }] }, toNode: () => connection } as unknown as NodeLinks;
const store: Pick<OnlineStore, 'scan'> = {
  scan: (entity, version) => scanRecords(links, createRecordKeys('p'), entity, version),
};

const duckdb = await openDuckDb({ tempDirectory: process.argv[3] as string, threads: 2 });
const start = performance.now();
// It is asked for its records alone.
const stored = await scanStoredKeys(duckdb, store as OnlineStore, { recordsOf: 'e', version: 'v@1' }, 1, {
  floor: 2,
  cuts: new Map(),
});
for (let from = 0; from < count; from += PAGE) {
  const keys = Array.from({ length: Math.min(PAGE, count - from) }, (_, i) => from + i);
  stored.wrote(keys.filter((i) => i !== GONE).map(keyOf));
}
const gone: string[] = [];
for await (const keys of stored.gone()) gone.push(...keys.map((key) => Buffer.from(key).toString('hex')));
await stored.close();
await duckdb.close();
const expected = Buffer.from(keyOf(GONE)).toString('hex');
const seconds = Math.round((performance.now() - start) / 1000);
process.stdout.write(JSON.stringify({ keys: given, gone, expected, seconds }));
