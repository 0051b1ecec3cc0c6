// A process that adds one to the same records many times, beside others that do the same. Arguments: URL, times.

import { type EncodedKey, encodeKey, systemClock } from '../../src/core/index.ts';
import { openOnlineStore } from '../../src/online/index.ts';

const [, , url = '', times = '0'] = process.argv;
const store = await openOnlineStore(url, { project: 'test', clock: systemClock });
const refs = ['a', 'b', 'c'].map((name) => ({
  entity: 'thing',
  view: 'v',
  key: encodeKey([{ kind: 'string' }], [name]) as EncodedKey,
}));
for (let i = 0; i < Number(times); i++) {
  await store.update(refs, (current) => {
    const base = Buffer.alloc(4);
    base.writeUInt32LE((current?.base === undefined ? 0 : Buffer.from(current.base).readUInt32LE()) + 1);
    return { base, pushed: undefined, pushedLog: undefined };
  });
}
await store.close();
