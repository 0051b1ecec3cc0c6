// A process that keeps an embedded store busy, made to be killed. Arguments: the store's path and what it does.
// `pushes`: parts and bases of many keys; says after each round which is acknowledged. `overlap`: pushes the part of the
// next cut, then writes a base that counts the one before; says each round. `marks`: claims keys and marks its run, says
// so and stops itself at once; when woken, again. `opens`: opens the store, reads and closes it.

import { writeSync } from 'node:fs';
import { systemClock } from '../../src/core/index.ts';
import { openLmdbStore } from '../../src/online/lmdb/lmdb-store.ts';
import { forEver, keyOf, partOf, refOf } from './lmdb-records.ts';

const [path = '', kind] = process.argv.slice(2);
const openStore = () => openLmdbStore({ path, project: 'test', clock: systemClock });

for (let round = 1; kind === 'opens'; round++) {
  const passing = openStore();
  await passing.read([refOf('one')]);
  await passing.close();
  process.stdout.write(`${round}\n`);
}

const store = openStore();
const writer = await store.writer({ writer: 1, holder: 1, lifetimeMs: forEver, onNode() {} });
const run = await store.run({ version: 'v@1', run: 1, entity: 'thing', lifetimeMs: forEver, isOpen: async () => true });
await run.begin('lmdb');

for (let round = 1; ; round++) {
  if (kind === 'overlap') {
    // Large enough to lie apart from the base.
    const fold = Buffer.alloc(1600 + (round % 7) * 500, 1);
    await writer.putParts([partOf('one', fold, { cut: round + 1 })]);
    const counted = [{ writer: 1, cut: round, boundary: -Infinity }];
    await run.write('lmdb', [{ entity: 'thing', key: keyOf('one'), base: Buffer.from(String(round)), counted }]);
  } else if (kind === 'marks') {
    const claims = Array.from({ length: 20 }, (_, i) => ({
      id: `${round}.${i}`,
      writer: 1,
      offset: round,
      payloadHash: '',
    }));
    await Promise.all(claims.map((claim) => writer.claim([claim])));
    await run.mark('lmdb');
    // Not by the stream, which would write it too late.
    writeSync(1, `${round}\n`);
    process.kill(process.pid, 'SIGSTOP');
    continue;
  } else {
    const fold = Buffer.alloc(10 + ((round * 37) % 4000), round % 256);
    await Promise.all([
      writer.putParts(Array.from({ length: 50 }, (_, i) => partOf(`key${i}`, fold, { n: round }))),
      run.write(
        'lmdb',
        Array.from({ length: 50 }, (_, i) => ({ entity: 'thing', key: keyOf(`key${i}`), base: fold })),
      ),
    ]);
    if (round % 10 === 0) await run.mark('lmdb');
  }
  process.stdout.write(`${round}\n`);
}
