// A process that pushes numbered rows to a push log, one batch of two after the other, and says which are
// acknowledged; made to be killed. Arguments: the log's folder.

import { systemClock } from '../../src/core/index.ts';
import { openPushLog } from '../../src/online/index.ts';
import { numbersSource } from './numbers-source.ts';

const log = openPushLog(process.argv[2] as string, { clock: systemClock });
for (let number = 0; ; number += 2) {
  const rows = [number, number + 1].map((n) => ({ row: { n: BigInt(n), text: `row ${n}`, at: n } }));
  await log.append(numbersSource, { rows, idempotencyKey: `batch ${number}` });
  process.stdout.write(`${number}\n`);
}
