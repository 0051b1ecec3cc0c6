// The flights example in a folder of its own, with its data, for the notebook, the README and guides: `flights-project.ts FOLDER`.

import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepareFlights } from '../../scripts/prepare-flights.ts';

const EXAMPLE = fileURLToPath(new URL('../../feature_repo', import.meta.url));

const [folder = '.'] = process.argv.slice(2);
// Its tsconfig.json is this repository's, which is not there.
const left = [join(EXAMPLE, 'data'), join(EXAMPLE, 'tsconfig.json')];
cpSync(EXAMPLE, join(folder, 'feature_repo'), { recursive: true, filter: (path) => !left.includes(path) });
writeFileSync(
  join(folder, 'headrace.config.ts'),
  `import { defineConfig } from 'headrace';\nexport default defineConfig({ project: 'flights' });\n`,
);
await prepareFlights(join(folder, 'feature_repo', 'data'), Date.now() * 1000);
