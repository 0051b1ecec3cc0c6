// './flights' and './flights.js' mean flights.ts to other TypeScript tools; so they do here, when nothing else is there.

import { existsSync } from 'node:fs';

/** The files that an import of `path` may mean beside `path` itself, the likeliest first; none when it is a file already. */
export function looseCandidates(path: string): string[] {
  if (existsSync(path) && /\.[cm]?[jt]s(on)?$/.test(path)) return [];
  return [`${path}.ts`, path.replace(/\.(m?)js$/, '.$1ts'), `${path}/index.ts`].filter(
    (candidate) => candidate !== path,
  );
}
