// Writes proto/descriptors.binpb, what reflection answers from: the descriptors of all .proto files, by protoc itself as PyPI's
// grpcio-tools brings it. To be run after a change of a .proto file.

import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bringPackages } from '../test/support/python-packages.ts';

const PROTOC = 'grpcio-tools==1.85.1';
const folder = fileURLToPath(new URL('../proto', import.meta.url));

/** Writes the descriptors of the .proto files to `out`. Gives in a sentence why it can't. */
export function writeDescriptors(out: string): string | undefined {
  const tools = bringPackages('grpcio-tools-1.85.1', [PROTOC]);
  if (typeof tools === 'string') return tools;
  const files = globSync('**/*.proto', { cwd: folder }).sort();
  const args = ['-m', 'grpc_tools.protoc', '-I', folder, '--include_imports', `--descriptor_set_out=${out}`, ...files];
  const run = spawnSync(join(tools.bin, 'python'), args, { encoding: 'utf8', cwd: folder });
  return run.status === 0 ? undefined : `protoc failed: ${run.stderr}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const failure = writeDescriptors(join(folder, 'descriptors.binpb'));
  if (failure !== undefined) {
    console.error(failure);
    process.exitCode = 1;
  }
}
