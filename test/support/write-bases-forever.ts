// A process whose run writes one base over and over, until it is fenced. Arguments: the store's URL, the run's number, the base.

import { openOnlineStore } from '../../src/online/open-online-store.ts';
import { systemClock } from '../../src/core/index.ts';
import { baseOf, openRun, refOf } from './online-writes.ts';

const [, , url = '', number = '', content = ''] = process.argv;
const store = await openOnlineStore(url, { project: 'test', clock: systemClock });
const run = await openRun(store, Number(number));
const written = refOf('fought for');
const node = run.nodeOf(written.entity, written.key);
await run.begin(node);
process.stdout.write('begun\n');
try {
  for (;;) {
    await run.write(node, [baseOf(written, content)]);
    await new Promise((resolve) => setImmediate(resolve));
  }
} catch (error) {
  process.stdout.write(`${(error as { code?: string }).code}\n`);
}
await run.close();
await store.close();
