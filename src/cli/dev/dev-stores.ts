// Which stores `dev` works on: the project's own, where all of them lie in its folder; else others of its own, so that a
// registry or store that people share is never touched by saving a file.

import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, sep } from 'node:path';
import type { Config } from '../../app/index.ts';

export interface DevStores {
  /** False: they are made for `dev` alone. */
  readonly isOwn: boolean;
  /** Settings that lie elsewhere; empty where it works on the project's own. */
  readonly shared: readonly string[];
  /** Environment variables that point at the stores. */
  readonly variables: Readonly<Record<string, string>>;
}

const SCRATCH = join('.headrace', 'dev');
/** A view as it was some saves ago need not be kept filled for long. */
const KEEP_VERSIONS = '10m';

export function chooseStores({ directory, values }: Pick<Config, 'directory' | 'values'>): DevStores {
  const places: readonly (readonly [string, string | undefined])[] = [
    ['registry.url', pathOf(values['registry.url'], 'sqlite:')],
    ['online.url', pathOf(values['online.url'], 'lmdb:')],
    ['artifacts.url', pathOf(values['artifacts.url'], 'file:')],
    ['offline.path', values['offline.path']],
    ['pushLog.path', values['pushLog.path']],
  ];
  const away = places.filter(([, path]) => path === undefined || !isInside(directory, path)).map(([key]) => key);
  const shared = values['pushLog.topic'] === 'none' ? away : [...away, 'pushLog.topic'];
  if (shared.length === 0) return { isOwn: true, shared, variables: {} };
  const scratch = join(directory, SCRATCH);
  return {
    isOwn: false,
    shared,
    variables: {
      HEADRACE_REGISTRY_URL: `sqlite:${join(scratch, 'registry.db')}`,
      HEADRACE_ONLINE_URL: `lmdb:${join(scratch, 'online')}`,
      HEADRACE_ARTIFACTS_URL: `file:${join(scratch, 'artifacts')}`,
      HEADRACE_OFFLINE_PATH: join(scratch, 'offline'),
      HEADRACE_PUSH_LOG_PATH: join(scratch, 'push-log'),
      HEADRACE_PUSH_LOG_TOPIC: 'none',
      HEADRACE_ONLINE_KEEP_VERSIONS: KEEP_VERSIONS,
    },
  };
}

function pathOf(url: string, scheme: string): string | undefined {
  const path = url.startsWith(scheme) ? url.slice(scheme.length) : ':memory:';
  return path === ':memory:' ? undefined : path;
}

/** By where links lead: `.headrace` may be one into a folder that others share. */
function isInside(directory: string, path: string): boolean {
  const way = relative(realPath(directory), realPath(path));
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

/** Of what is not there yet: where its nearest folder that is there leads. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return dirname(path) === path ? path : join(realPath(dirname(path)), basename(path));
  }
}
