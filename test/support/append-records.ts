// A process that writes numbered parts and bases to an online store, one after the other, and says which are
// acknowledged; made to be killed. Arguments: the store's URL.

import { type EncodedKey, encodeKey, systemClock } from '../../src/core/index.ts';
import { openOnlineStore } from '../../src/online/open-online-store.ts';

const version = 'killed@1';
const forEver = () => undefined;
const store = await openOnlineStore(process.argv[2] as string, { project: 'test', clock: systemClock });
const writer = await store.writer({ writer: 9, holder: 1, lifetimeMs: forEver, onNode() {} });
const run = await store.run({ version, run: 1, entity: 'killed', lifetimeMs: forEver, isOpen: async () => true });
for (const node of run.nodes) await run.begin(node);
for (let number = 0; ; number++) {
  const key = encodeKey([{ kind: 'int64' }], [BigInt(number)]) as EncodedKey;
  const bytes = Buffer.alloc(200, number % 256);
  const node = run.nodeOf('killed', key);
  await writer.putParts([
    { entity: 'killed', key, version, writer: 9, cut: 1, boundary: -Infinity, holder: 1, n: number, fold: bytes },
  ]);
  await run.write(node, [{ entity: 'killed', key, base: bytes }]);
  await run.mark(node);
  process.stdout.write(`${number}\n`);
}
