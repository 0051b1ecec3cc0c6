// Git, asked about the project or a copy of it.

import { spawnSync } from 'node:child_process';

/** Of what git prints. */
const MOST_BYTES = 2 ** 28;

/** `input` is what it reads. `status` is null where git could not be started. */
export function askGit(
  project: string,
  words: readonly string[],
  input?: string,
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  return spawnSync('git', words, { cwd: project, encoding: 'utf8', maxBuffer: MOST_BYTES, input });
}
