// A process of its own that applies manifests: `apply-manifests.ts URL race|forever`.
// `race` plans, says "ready", waits for a line and applies once; `forever` applies two in turn until it is killed.

import { once } from 'node:events';
import { systemClock, toHeadraceError } from '../../src/core/index.ts';
import type { Manifest } from '../../src/definitions/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { flightsManifest } from './manifests.ts';
import { smallManifest } from './small-manifest.ts';

const [url = '', mode = ''] = process.argv.slice(2);
const database = await openDatabase(url);
const registry = await openRegistry(database, systemClock);

if (mode === 'race') {
  const { flights } = flightsManifest.sources;
  const description = `of process ${process.pid}`;
  const manifest = { ...flightsManifest, sources: { flights: { ...flights, description } } } as Manifest; // it has that source
  const { baseRevision } = await registry.definitions.plan(manifest);
  console.log('ready');
  await once(process.stdin, 'data');
  try {
    await registry.definitions.apply(manifest, { actor: String(process.pid), expectedRevision: baseRevision });
    console.log('applied');
  } catch (error) {
    console.log(toHeadraceError(error).code);
  }
  process.stdin.destroy();
  await database.close();
} else {
  for (let round = 0; ; round++) {
    const manifest = round % 2 === 0 ? flightsManifest : smallManifest;
    await registry.definitions.apply(manifest, { actor: 'ann', allowBreaking: true });
    console.log('applied');
  }
}
