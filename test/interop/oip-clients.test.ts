// The Open Inference Protocol in the hands of its own clients: Triton's (HTTP, asyncio) and KServe's, as PyPI has them.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerPlainModel } from '../../src/app/index.ts';
import { linearModel } from '../support/onnx-model.ts';
import { openOipServing } from '../support/oip-models.ts';
import type { OpenServing } from '../support/open-serving.ts';
import { programOutput } from '../support/program-output.ts';
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
    const output = await programOutput(python, [join(import.meta.dirname, '../support', script), open.serving.url]);
    const [, checks = '0'] = /^ok (\d+)$/m.exec(output) ?? [];
    expect(Number(checks)).toBeGreaterThan(least);
  });

  // The guide shows Triton's alone: with KServe's there is nothing to skip.
  if (name !== 'tritonclient') return;
  it.skipIf(typeof brought === 'string')('does what the guide shows', async () => {
    await registerPlainModel(open.app, { model: 'scorer', onnx: linearModel(3) });
    await open.serving.planes.inference.load('scorer', { actor: 'test' });
    const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/triton-clients.md'), 'utf8');
    const [, code = ''] = /^```python\n([\s\S]*?)^```$/m.exec(guide) ?? [];
    const script = join(open.project.directory, 'guide.py');
    writeFileSync(script, code.replace('127.0.0.1:8080', new URL(open.serving.url).host));
    expect(await programOutput(join((brought as { bin: string }).bin, 'python'), [script])).toBe('[[6.0], [15.0]]\n');
  });
});
