// A controller of rollouts as a process, for the tests to stop and kill: it takes the lease, looks again and again, and stops or
// ends itself at a call of its database. Prints what becomes of it.

import { setTimeout as sleep } from 'node:timers/promises';
import { HeadraceError, silentLogger, systemClock } from '../../src/core/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import { createController } from '../../src/rollouts/index.ts';
import { openDatabase, takeLease } from '../../src/storage/index.ts';
import { createWatch, faultsAt } from './fault-points.ts';
import { NO_REQUESTS } from './rollout-world.ts';

const [url = '', signal, step = '', ttl] = process.argv.slice(2);
const watch = createWatch(faultsAt(signal === 'SIGSTOP' ? 'SIGSTOP' : 'SIGKILL', step));
const database = watch(await openDatabase(url), 'database');
const registry = await openRegistry(database, systemClock);
const controller = createController({
  database,
  registry,
  evidence: NO_REQUESTS,
  clock: systemClock,
  logger: silentLogger,
});
const lease = await takeLease(database, { name: 'job rollouts', holder: String(process.pid), ttlMs: Number(ttl) });
if (lease === undefined) throw new Error('the lease was not given');
process.stdout.write('looks\n');
for (let looks = 0; looks < 200; looks++) {
  try {
    await controller.look(lease);
  } catch (thrown) {
    if (!(thrown instanceof HeadraceError)) throw thrown;
    process.stdout.write(`${thrown.code}\n`);
  }
  if (!(await lease.renew())) break;
  await sleep(20);
}
process.stdout.write('ended\n');
await database.close();
