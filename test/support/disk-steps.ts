// What a piece of work asks of the disk, in order: which bytes or names it makes durable, and which names it gives.

import fs from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { dirname } from 'node:path';

export type DiskStep =
  /** Ended: the file's bytes, or the names in a folder, are on the disk. */
  | { readonly kind: 'synced'; readonly path: string }
  /** Begun: `path` becomes the name of what lies at `from`. */
  | { readonly kind: 'named'; readonly path: string; readonly from: string };

/** The steps of `act` up to where it resolves, of all of this process. */
export async function diskSteps(act: () => Promise<unknown>): Promise<readonly DiskStep[]> {
  const steps: DiskStep[] = [];
  const { promises } = fs;
  const { open: realOpen, rename, link } = promises;
  const opened: typeof open = async (path, ...more) => {
    const handle = await realOpen(path, ...more);
    for (const name of ['sync', 'datasync'] as const) {
      const real = handle[name].bind(handle);
      handle[name] = async () => {
        await real();
        steps.push({ kind: 'synced', path: String(path) });
      };
    }
    return handle satisfies FileHandle;
  };
  const naming =
    (real: typeof rename): typeof rename =>
    (from, path) => {
      steps.push({ kind: 'named', path: String(path), from: String(from) });
      return real(from, path);
    };
  Object.assign(promises, { open: opened, rename: naming(rename), link: naming(link) });
  syncBuiltinESMExports();
  try {
    await act();
    return [...steps];
  } finally {
    Object.assign(promises, { open: realOpen, rename, link });
    syncBuiltinESMExports();
  }
}

/** Whether a file was durable before it had its name, and its name was before all was told to be done. */
export function isDurable(
  steps: readonly DiskStep[],
  path: string,
): { readonly bytes: boolean; readonly name: boolean } {
  const at = steps.findLastIndex((step) => step.kind === 'named' && step.path === path);
  const step = steps[at];
  const isSynced = (wanted: string, some: readonly DiskStep[]): boolean =>
    some.some((one) => one.kind === 'synced' && one.path === wanted);
  return {
    bytes: step?.kind === 'named' && isSynced(step.from, steps.slice(0, at)),
    name: at >= 0 && isSynced(dirname(path), steps.slice(at + 1)),
  };
}
