// The guide on flag SDKs, typed from top to bottom beside a server, with the SDKs that it names.
// twin: test/property/flags.test.ts > an endpoint’s flag

import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { serveGuide } from '../support/served-guide.ts';
import { createServingProject } from '../support/serving-project.ts';

const guide = serveGuide('flags.md', () => {
  const project = createServingProject();
  symlinkSync(join(import.meta.dirname, '../../node_modules'), project.file('node_modules'));
  chmodSync(project.write('.bin/node', `#!/bin/sh\nexec '${process.execPath}' "$@"\n`), 0o755);
  return project;
});

it('shows what its commands print', () => {
  expect(guide.type()).toBe(3);
});
