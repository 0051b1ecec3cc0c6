// Runs `headrace` commands as a user would, and reads what they print with --json.

import { fileURLToPath } from 'node:url';
import { exitCode, startChild } from './children.ts';
import { indent, say } from './story.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const cliFile = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/**
 * The document that a command prints; what it says meanwhile is shown. Words are split at spaces. Throws with its error
 * when it fails.
 */
export async function headrace<R>(command: string): Promise<R> {
  say(indent(`$ headrace ${command}`));
  const child = startChild(process.execPath, [cliFile, ...command.split(' '), '--json'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HEADRACE_LOG_LEVEL: 'warn' },
  });
  let printed = '';
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => {
    const lines = (said + chunk.toString()).split('\n');
    said = lines.pop() ?? '';
    for (const line of lines) say(indent(`  ${line}`));
  });
  const code = await exitCode(child);
  if (code !== 0) throw new Error(`headrace ${command} failed with exit code ${code}${said === '' ? '' : `: ${said}`}`);
  return JSON.parse(printed) as R; // each caller knows its command's document
}
