// A process of its own that opens a registry, and so migrates it: `migrate-registry.ts URL`. It prints the view versions that
// are kept then.

import { systemClock } from '../../src/core/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import { openDatabase } from '../../src/storage/index.ts';

const database = await openDatabase(process.argv[2] ?? '');
const { versions } = await openRegistry(database, systemClock);
for (const { version } of await versions.list()) console.log(version);
await database.close();
