// A process that appends rows to an event log while its disk fails as told, and says how each append went; then waits to
// be killed. Arguments: the machine's folder, the registry's URL, the object store's folder, what fails at the second row.

import { writeFileSync } from 'node:fs';
import { silentLogger, systemClock, toHeadraceError } from '../../src/core/index.ts';
import { openEventLog } from '../../src/events/index.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { numberRow } from './event-logs.ts';
import { numbersSource as source } from './numbers-source.ts';

const [, , path = '', url = '', objectFolder = '', failures = '', last = ''] = process.argv;
const log = await openEventLog({
  path,
  database: await openDatabase(url),
  objects: openObjectStore(`file:${objectFolder}`),
  clock: systemClock,
  logger: silentLogger,
});
const writer = await log.register();
await writer.openCut(new Map());
for (let n = 1; n <= Number(last); n++) {
  if (n === 2) writeFileSync(process.env['FAILING_DISK'] ?? '', failures);
  const outcome = await writer.append({ source, rows: [numberRow(n)] }).then(
    () => 'kept',
    (error: unknown) => `${toHeadraceError(error).code} ${toHeadraceError(error).message}`,
  );
  process.stdout.write(`${n} ${outcome}\n`);
}
process.stdout.write('done\n');
setInterval(() => {}, 1000);
