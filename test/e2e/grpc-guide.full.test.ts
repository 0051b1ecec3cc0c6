// The guide on gRPC, typed from top to bottom beside a server, with the libraries that it names.
// twin: test/integration/grpc-native.test.ts > is what HTTP answers, by the same names

import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runGuide } from '../support/run-guide.ts';
import { createServingProject, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';

const ROOT = join(import.meta.dirname, '../..');

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = createServingProject();
  for (const folder of ['node_modules', 'proto']) symlinkSync(join(ROOT, folder), project.file(folder));
  chmodSync(project.write('.bin/node', `#!/bin/sh\nexec '${process.execPath}' "$@"\n`), 0o755);
  server = await startServe(project, ['--grpc-port', '0']);
}, 120_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

it('shows what its commands print', () => {
  const { grpc } = server.announced as { grpc: string };
  const shown = runGuide(join(ROOT, 'docs/guides/grpc.md'), project, { HEADRACE_GRPC: grpc });
  expect(shown.length).toBe(1);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
}, 200_000);
