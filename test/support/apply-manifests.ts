// A process of its own that applies two manifests in turn until it is killed: `apply-manifests.ts URL`.

import { systemClock } from '../../src/core/index.ts';
import { openRegistry } from '../../src/registry/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { flightsManifest } from './manifests.ts';
import { smallManifest } from './small-manifest.ts';

const [url = ''] = process.argv.slice(2);
const { definitions } = await openRegistry(await openDatabase(url), systemClock);

for (let round = 0; ; round++) {
  const manifest = round % 2 === 0 ? flightsManifest : smallManifest;
  await definitions.apply(manifest, { actor: 'ann', allowBreaking: true });
  console.log('applied');
}
