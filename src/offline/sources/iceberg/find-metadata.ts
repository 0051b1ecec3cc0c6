// The newest metadata file of an Iceberg table's folder. A catalog knows which one is committed; a folder alone shows only
// their names, which count up.

import { HeadraceError } from '../../../core/index.ts';
import { bytesOf, namesIn } from '../lake/table-place.ts';
import type { PlaceDeps } from '../source-deps.ts';

/** `v12.metadata.json` of tables without a catalog, `00012-UUID.metadata.json` of those with one; gzip by either name. */
const METADATA = /^(?:v(\d+)|(\d+)-.+?)(?:\.gz)?\.metadata\.json(?:\.gz)?$/;
const HINT = 'version-hint.text';

export const isMetadataFile = (path: string): boolean => /\.metadata\.json(\.gz)?$/.test(path);

/** Throws HR_SOURCE_UNREADABLE where there is none, or two could be the newest, and what S3 says. */
export async function findMetadata(folder: string, owner: string, deps: PlaceDeps): Promise<string> {
  const names = await namesIn(`${folder}/metadata`, owner, deps);
  const numbered = names.flatMap((name) => {
    const [, counted, committed] = METADATA.exec(name) ?? [];
    const number = counted ?? committed;
    return number === undefined ? [] : [{ name, number: Number(number), isCounted: counted !== undefined }];
  });
  if (numbered.length === 0) {
    throw new HeadraceError(
      'HR_SOURCE_UNREADABLE',
      `${owner}: there is no Iceberg table at ${folder}: it has no metadata/*.metadata.json. Check its path.`,
    );
  }
  const hinted = names.includes(HINT)
    ? (await bytesOf(`${folder}/metadata/${HINT}`, owner, deps)).toString('utf8').trim()
    : undefined;
  const named = numbered.find(({ name }) => hinted !== undefined && name.startsWith(`${hinted}.`));
  if (named !== undefined) return `${folder}/metadata/${named.name}`;
  // A hint may be behind: the file of a version is its commit, so the newest counts.
  const counted = hinted === undefined ? [] : numbered.filter(({ isCounted }) => isCounted);
  const from = counted.length > 0 ? counted : numbered;
  const newest = Math.max(...from.map(({ number }) => number));
  const [found, other] = from.filter(({ number }) => number === newest);
  if (found !== undefined && other === undefined) return `${folder}/metadata/${found.name}`;
  throw new HeadraceError(
    'HR_SOURCE_UNREADABLE',
    `${owner}: ${folder} has two newest metadata files, ${found?.name} and ${other?.name}; which of them was committed its catalog knows. Name one of them as \`path\`, or use \`catalog\` and \`table\`.`,
  );
}
