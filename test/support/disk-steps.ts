// What a piece of work asks of the disk, in order: which bytes or names it makes durable, and which names it gives; and a disk
// that is full.

import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
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
  const watched = (handle: FileHandle, path: string): void => {
    for (const name of ['sync', 'datasync'] as const) {
      const real = handle[name].bind(handle);
      handle[name] = async () => {
        await real();
        steps.push({ kind: 'synced', path });
      };
    }
  };
  const { rename, link } = fs.promises;
  const naming =
    (real: typeof rename): typeof rename =>
    (from, path) => {
      steps.push({ kind: 'named', path: String(path), from: String(from) });
      return real(from, path);
    };
  return onDisk({ opened: watched, rename: naming(rename), link: naming(link) }, async () => {
    await act();
    return [...steps];
  });
}

/** Runs `act` where no byte can be written, as on a disk that is full. */
export function onFullDisk<T>(act: () => Promise<T>): Promise<T> {
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  return onDisk({ opened: (handle) => void (handle.writeFile = () => Promise.reject(full)) }, act);
}

interface Disk {
  /** Told of each file that is opened. */
  readonly opened: (handle: FileHandle, path: string) => void;
  readonly rename?: typeof fs.promises.rename;
  readonly link?: typeof fs.promises.link;
}

async function onDisk<T>({ opened, ...given }: Disk, act: () => Promise<T>): Promise<T> {
  const { promises } = fs;
  const { open: realOpen, rename, link } = promises;
  const opening: typeof realOpen = async (path, ...more) => {
    const handle = await realOpen(path, ...more);
    opened(handle, String(path));
    return handle;
  };
  Object.assign(promises, { open: opening, ...given });
  syncBuiltinESMExports();
  try {
    return await act();
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
