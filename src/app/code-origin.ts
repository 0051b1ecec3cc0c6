// Where the feature repository came from: the commit that its folder is at, as git tells it. A folder that is in no git
// repository has none.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { CodeOrigin } from '../registry/index.ts';

const run = promisify(execFile);

/** `HEADRACE_COMMIT` stands in where a build has the files alone. */
export async function readCodeOrigin(
  directory: string,
  variables: Readonly<Record<string, string | undefined>>,
): Promise<CodeOrigin> {
  const commit = await git(directory, 'rev-parse', 'HEAD');
  if (commit === undefined) {
    const given = variables['HEADRACE_COMMIT'];
    return given === undefined || given === '' ? {} : { commit: given };
  }
  const changes = await git(directory, 'status', '--porcelain', '--', '.');
  return { commit, ...(changes === '' ? {} : { isDirty: true }) };
}

/** Whether the commit comes before the other in their history; false where that can't be told. */
export async function isOlderCommit(directory: string, commit: string, than: string): Promise<boolean> {
  if (commit === than) return false;
  return (await git(directory, 'merge-base', '--is-ancestor', commit, than)) !== undefined;
}

/** What git prints; undefined where it fails, or there is none. */
async function git(directory: string, ...args: readonly string[]): Promise<string | undefined> {
  try {
    const { stdout } = await run('git', ['-C', directory, ...args], { timeout: GIT_LIMIT_MS });
    return stdout.trim();
  } catch {
    return undefined;
  }
}

const GIT_LIMIT_MS = 10_000;
