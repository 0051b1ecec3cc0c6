// What the leaky join would have claimed: the same script, the same models, the same split, trained on its rows.

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exitCode, startChild } from './children.ts';
import { root } from './headrace.ts';

/** The AUC on held-out flights by kind of model, trained on the leaky set; trained side by side. */
export async function leakyAuc(
  python: string,
  kinds: readonly string[],
  leakySet: string,
): Promise<Record<string, number>> {
  const directory = await mkdtemp(join(tmpdir(), 'headrace-leaky-'));
  try {
    const claims = await Promise.all(
      kinds.map(async (kind) => {
        const out = join(directory, kind);
        await runScript(python, ['feature_repo/train.py', '--data', leakySet, '--kind', kind, '--out', out]);
        const result = JSON.parse(await readFile(join(out, 'result.json'), 'utf8')) as { auc: number }; // train.py's own
        return [kind, result.auc] as const;
      }),
    );
    return Object.fromEntries(claims);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runScript(python: string, args: readonly string[]): Promise<void> {
  const child = startChild(python, args, {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, OMP_NUM_THREADS: '1' }, // as the pipeline's steps
  });
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await exitCode(child);
  if (code !== 0) throw new Error(`train.py failed with exit code ${code}:\n${said.slice(-2000)}`);
}
