// gRPC in the hands of others' clients, as PyPI has them: Triton's (blocking, streaming, asyncio), KServe's, and grpcio's health, reflection and
// status. And protoc's word on the descriptors that reflection answers from.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerPlainModel } from '../../src/app/index.ts';
import { writeDescriptors } from '../../scripts/proto.ts';
import { linearModel } from '../support/onnx-model.ts';
import { openOipServing } from '../support/oip-models.ts';
import type { OpenServing } from '../support/open-serving.ts';
import { programOutput } from '../support/program-output.ts';
import { bringPackages } from '../support/python-packages.ts';
import { skipBecause } from '../support/skips.ts';

const DESCRIPTORS = fileURLToPath(new URL('../../proto/descriptors.binpb', import.meta.url));
const GRPCIO = '1.85.1';
const CLIENTS = [
  {
    name: 'tritonclient-grpc-2.73.0',
    packages: ['tritonclient[grpc]==2.73.0'],
    script: 'grpc-triton.py',
    least: 600,
  },
  { name: 'kserve-0.21.0', packages: ['kserve==0.21.0'], script: 'grpc-kserve.py', least: 8 },
  {
    name: `grpcio-${GRPCIO}`,
    packages: ['grpcio', 'grpcio-health-checking', 'grpcio-reflection', 'grpcio-status'].map(
      (one) => `${one}==${GRPCIO}`,
    ),
    script: 'grpc-python.py',
    least: 15,
  },
] as const;

let open: OpenServing;
beforeAll(async () => {
  open = await openOipServing({ serve: { grpcPort: 0 } });
}, 60_000);
afterAll(() => open.close());

describe.each(CLIENTS)('$name', ({ name, packages, script, least }) => {
  const brought = bringPackages(name, packages);
  if (typeof brought === 'string') skipBecause(`gRPC in the hands of ${name}: ${brought}`);

  it.skipIf(typeof brought === 'string')('does all that it can', async () => {
    const python = join((brought as { bin: string }).bin, 'python');
    const file = join(import.meta.dirname, '../support', script);
    const output = await programOutput(python, [file, open.serving.grpcAddress as string, DESCRIPTORS]);
    const [, checks = '0'] = /^ok (\d+)$/m.exec(output) ?? [];
    expect(Number(checks)).toBeGreaterThan(least);
  });

  // The guides show Triton's alone: with the others there is nothing to skip.
  if (script !== 'grpc-triton.py') return;
  it.skipIf(typeof brought === 'string')('does what the guides show', async () => {
    await registerPlainModel(open.app, { model: 'scorer', onnx: linearModel(3) });
    await open.serving.planes.inference.load('scorer', { actor: 'test' });
    const printed: string[] = [];
    for (const guide of ['grpc.md', 'triton-clients.md']) {
      const text = readFileSync(join(import.meta.dirname, '../../docs/guides', guide), 'utf8');
      const blocks = [...text.matchAll(/^```python\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code);
      const code = blocks.filter((one) => one.includes('tritonclient.grpc')).join('');
      const file = join(open.project.directory, 'guide.py');
      writeFileSync(file, code.replaceAll('127.0.0.1:8081', open.serving.grpcAddress as string));
      printed.push(await programOutput(join((brought as { bin: string }).bin, 'python'), [file]));
    }
    expect(printed).toEqual(['[0.25 0.25]\n', '[[6.0], [15.0]]\n']);
  });
});

it('the descriptors are those of the .proto files', (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-proto-'));
  try {
    const file = join(folder, 'descriptors.binpb');
    const failure = writeDescriptors(file);
    if (failure !== undefined) {
      skipBecause(`the descriptors of the .proto files: ${failure}`);
      context.skip();
    }
    const isSame = readFileSync(file).equals(readFileSync(DESCRIPTORS));
    expect(isSame, 'run `node scripts/bootstrap.mjs scripts/proto.ts`').toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 240_000);
