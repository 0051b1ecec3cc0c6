// A rollout as an operator runs it: started, and watched to its end.

import { startChild } from '../quickstart/children.ts';
import { cliFile, headrace, root } from '../quickstart/headrace.ts';
import { indent, say } from '../quickstart/story.ts';

export interface EndedRollout {
  readonly state: string;
  readonly reason: string | null;
  readonly guardrails: readonly { readonly metric: string; readonly verdict: string; readonly evidence: unknown }[];
  readonly history: readonly { readonly at: string; readonly to: string; readonly reason: string | null }[];
}

/** The rollout's document at its end, whichever way it went. */
export async function rollOut(command: string): Promise<EndedRollout> {
  const { id } = await headrace<{ id: string }>(command);
  say(indent(`$ headrace rollout watch ${id}`));
  const child = startChild(process.execPath, [cliFile, 'rollout', 'watch', id, '--json'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HEADRACE_LOG_LEVEL: 'warn' },
  });
  let printed = '';
  child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => say(indent(`  ${chunk.toString().trimEnd()}`)));
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (printed === '') throw new Error(`headrace rollout watch ${id} printed nothing`);
  return JSON.parse(printed) as EndedRollout; // the command's document
}
