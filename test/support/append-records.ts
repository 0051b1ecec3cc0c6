// A process that writes numbered records to an online store, one after the other, and says which are acknowledged;
// made to be killed. Arguments: the store's URL.

import { type EncodedKey, encodeKey, systemClock } from '../../src/core/index.ts';
import { openOnlineStore } from '../../src/online/index.ts';

const store = await openOnlineStore(process.argv[2] as string, { project: 'test', clock: systemClock });
for (let number = 0; ; number++) {
  const key = encodeKey([{ kind: 'int64' }], [BigInt(number)]) as EncodedKey;
  const bytes = Buffer.alloc(200, number % 256);
  await store.update([{ entity: 'thing', view: 'v', key }], () => ({ base: bytes, pushed: bytes, pushedLog: bytes }));
  process.stdout.write(`${number}\n`);
}
