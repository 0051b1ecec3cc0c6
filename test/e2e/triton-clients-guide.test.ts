// The guide on Triton's clients, typed from top to bottom beside a server that runs. Its Python runs in test/interop.

import { expect, it } from 'vitest';
import { linearModel } from '../support/onnx-model.ts';
import { serveGuide } from '../support/served-guide.ts';
import { createServingProject } from '../support/serving-project.ts';

const guide = serveGuide('triton-clients.md', () => {
  const project = createServingProject();
  project.write('scorer.onnx', linearModel(3));
  return project;
});

it('shows what its commands print', () => {
  expect(guide.type()).toBeGreaterThanOrEqual(7);
}, 120_000);
