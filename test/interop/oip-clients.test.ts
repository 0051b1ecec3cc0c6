// The Open Inference Protocol in the hands of its own clients: Triton's (HTTP, asyncio) and KServe's, as PyPI has them.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openOipServing } from '../support/oip-models.ts';
import type { OpenServing } from '../support/open-serving.ts';
import { bringPackages } from '../support/python-packages.ts';
import { skipBecause } from '../support/skips.ts';

const CLIENTS = [
  { name: 'tritonclient', version: '2.73.0', extras: '[http]', script: 'oip-triton.py', least: 250 },
  { name: 'kserve', version: '0.21.0', extras: '', script: 'oip-kserve.py', least: 10 },
] as const;

describe.each(CLIENTS)('$name', ({ name, version, extras, script, least }) => {
  const brought = bringPackages(`${name}-${version}`, [`${name}${extras}==${version}`]);
  if (typeof brought === 'string') skipBecause(`the Open Inference Protocol in ${name}'s hands: ${brought}`);
  let open: OpenServing;
  beforeAll(async () => {
    open = await openOipServing();
  });
  afterAll(() => open.close());

  it.skipIf(typeof brought === 'string')('does all that it can', async () => {
    const python = join((brought as { bin: string }).bin, 'python');
    const output = await run(python, [join(import.meta.dirname, '../support', script), open.serving.url]);
    const [, checks = '0'] = /^ok (\d+)$/m.exec(output) ?? [];
    expect(Number(checks)).toBeGreaterThan(least);
  });
});

/** Its output; rejects where it fails. The server is in this process, which must not wait. */
function run(program: string, args: readonly string[]): Promise<string> {
  const child = spawn(program, args, { timeout: 120_000 });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(output) : reject(new Error(output))));
  });
}
