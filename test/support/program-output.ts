// What a program prints, of one that speaks to a server in this process: which must not wait for it.

import { spawn } from 'node:child_process';

/** Both its streams; rejects with them where it fails. */
export function programOutput(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const child = spawn(program, args, { ...(cwd === undefined ? {} : { cwd }), timeout: 120_000 });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(output) : reject(new Error(output))));
  });
}
