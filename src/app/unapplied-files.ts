// Scripts and notebooks that were changed since they were applied: a run goes by what was applied.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { counted, sha256Hex } from '../core/index.ts';
import { type Definitions, own } from '../definitions/index.ts';

/** A sentence for whoever runs the pipeline; undefined where nothing that is there differs. */
export function describeUnapplied(
  { manifest, directory }: Pick<Definitions, 'manifest' | 'directory'>,
  pipeline: string,
): string | undefined {
  const files = (own(manifest.pipelines, pipeline)?.steps ?? []).flatMap(({ action }) =>
    'files' in action ? (action.files ?? []) : [],
  );
  const changed = new Set(files.filter((file) => isChanged(directory, file)).map(({ path }) => path));
  if (changed.size === 0) return undefined;
  const [first = '', ...others] = [...changed].sort();
  const more = others.length === 0 ? '' : ` and ${counted(others.length, 'other file')}`;
  return `${first}${more} changed since \`headrace apply\`: this run goes by what was applied.`;
}

function isChanged(directory: string, { path, hash }: { readonly path: string; readonly hash: string }): boolean {
  try {
    return sha256Hex(readFileSync(join(directory, path))) !== hash;
  } catch {
    // The repository is elsewhere.
    return false;
  }
}
