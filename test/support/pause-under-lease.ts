// A process that takes a lease, is stopped by itself, and once it goes on says what it may still do: `pause-under-lease.ts URL TTL`.

import { holdsLease, migrateLeases, openDatabase, takeLease } from '../../src/storage/index.ts';

const [url = '', ttl = '0'] = process.argv.slice(2);
const database = await openDatabase(url);
await migrateLeases(database);
const lease = await takeLease(database, { name: 'ramp', holder: 'paused', ttlMs: Number(ttl) });
if (lease === undefined) throw new Error('another has it');
console.log('taken');
process.kill(process.pid, 'SIGSTOP');
const mayWrite = await database.transaction((trx) => holdsLease(trx, database.kind, lease));
const isRenewed = await lease.renew();
await lease.release();
console.log(JSON.stringify({ epoch: lease.epoch, mayWrite, isRenewed }));
await database.close();
