// The guide on flag SDKs, typed from top to bottom beside a server, with the SDKs that it names.
// twin: test/property/flags.test.ts > an endpoint’s flag

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
  symlinkSync(join(ROOT, 'node_modules'), project.file('node_modules'));
  chmodSync(project.write('.bin/node', `#!/bin/sh\nexec '${process.execPath}' "$@"\n`), 0o755);
  server = await startServe(project);
}, 120_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

it('shows what its commands print', () => {
  const shown = runGuide(join(ROOT, 'docs/guides/flags.md'), project, { HEADRACE_URL: server.url });
  expect(shown.length).toBe(3);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
}, 200_000);
