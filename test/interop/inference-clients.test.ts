// The Open Inference Protocol in the hands of its own clients, as PyPI has them: Triton's (HTTP, gRPC, streaming, asyncio), KServe's, and
// grpcio's health, reflection and status. And protoc's word on the descriptors that reflection answers from.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { writeDescriptors } from '../../scripts/proto.ts';
import { registerPlainModel } from '../../src/app/index.ts';
import { openOipServing } from '../support/oip-models.ts';
import { linearModel } from '../support/onnx-model.ts';
import type { OpenServing } from '../support/open-serving.ts';
import { programOutput } from '../support/program-output.ts';
import { bringPackages } from '../support/python-packages.ts';
import { guideBlocks } from '../support/run-guide.ts';
import { skipBecause } from '../support/skips.ts';

const DESCRIPTORS = join(import.meta.dirname, '../../proto/descriptors.binpb');
const GRPCIO = ['grpcio', 'grpcio-health-checking', 'grpcio-reflection', 'grpcio-status'];

let open: OpenServing;
beforeAll(async () => {
  open = await openOipServing({ serve: { grpcPort: 0 } });
  await registerPlainModel(open.app, { model: 'scorer', onnx: linearModel(3) });
  await open.serving.planes.inference.load('scorer', { actor: 'test' });
}, 60_000);
afterAll(() => open.close());

/** Packages, the scripts that use them, and how many checks each makes at least; guides that show them, and what those print. */
describe.each<[string, readonly string[], readonly (readonly [string, number])[], Readonly<Record<string, string>>]>([
  [
    'tritonclient-grpc-http-2.73.0',
    ['tritonclient[grpc,http]==2.73.0'],
    [
      ['oip-triton.py', 250],
      ['grpc-triton.py', 600],
    ],
    { 'grpc.md': '[0.25 0.25]\n', 'triton-clients.md': '[[6.0], [15.0]]\n' },
  ],
  [
    'kserve-0.21.0',
    ['kserve==0.21.0'],
    [
      ['oip-kserve.py', 10],
      ['grpc-kserve.py', 8],
    ],
    {},
  ],
  ['grpcio-1.85.1', GRPCIO.map((name) => `${name}==1.85.1`), [['grpc-python.py', 15]], {}],
])('%s', (name, packages, scripts, guides) => {
  const brought = bringPackages(name, packages);
  if (typeof brought === 'string') skipBecause(`inference in the hands of ${name}: ${brought}`);
  const python = typeof brought === 'string' ? '' : join(brought.bin, 'python');
  const grpc = () => open.serving.grpcAddress as string;

  it.skipIf(python === '').each(scripts)('does all that it can: %s', async (script, least) => {
    const addresses = script.startsWith('grpc-') ? [grpc(), DESCRIPTORS] : [open.serving.url];
    const output = await programOutput(python, [join(import.meta.dirname, '../support', script), ...addresses]);
    expect(Number(/^ok (\d+)$/m.exec(output)?.[1])).toBeGreaterThan(least);
  });

  it.skipIf(python === '').each(Object.entries(guides))('does what the guide %s shows', async (guide, printed) => {
    const blocks = guideBlocks(guide, 'python').filter((block) => block.includes('tritonclient'));
    expect(blocks.length).toBeGreaterThan(0);
    for (const protocol of ['grpc', 'http']) {
      const code = blocks.filter((block) => block.includes(`tritonclient.${protocol}`)).join('');
      if (code === '') continue;
      const placed = code
        .replaceAll('127.0.0.1:8081', grpc())
        .replace('127.0.0.1:8080', new URL(open.serving.url).host);
      const { file, write } = open.project;
      write('guide.py', placed);
      expect(await programOutput(python, [file('guide.py')])).toBe(printed);
    }
  });
});

it('the descriptors are those of the .proto files', { timeout: 240_000 }, (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-proto-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'descriptors.binpb');
  const failure = writeDescriptors(file);
  if (failure !== undefined) {
    skipBecause(`the descriptors of the .proto files: ${failure}`);
    context.skip();
  }
  const isSame = readFileSync(file).equals(readFileSync(DESCRIPTORS));
  expect(isSame, 'run `node scripts/bootstrap.mjs scripts/proto.ts`').toBe(true);
});
