// The guides on changing features and on definitions in CI, from the first command to the last, with all that they show.

import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { linearModel } from '../support/onnx-model.ts';
import { runGuide, type Shown, startGuide } from '../support/run-guide.ts';
import { createProject, type Project } from '../support/serving-project.ts';

const GUIDES = join(import.meta.dirname, '../../docs/guides');
const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop' });
`;
const event = (customer: string): string =>
  `{"customer":"${customer}","amount":1,"bought_at":"${new Date(Date.now() - 60_000).toISOString()}"}\n`;

const shop = (): Project =>
  createProject({
    'headrace.config.ts': CONFIG,
    'events.jsonl': ['ada', 'bob'].map(event).join(''),
    'spine.csv': 'customer,at\nada,2026-01-01T00:00:00Z\n',
    'returns.onnx': linearModel(1),
  });
const expectShown = (all: readonly Shown[], least: number): void => {
  expect(all.length).toBeGreaterThanOrEqual(least);
  for (const { command, shown, printed } of all) expect(printed, command).toBe(shown);
};

describe('what a guide shows is what its commands print', () => {
  const projects = [shop(), shop()] as const;
  afterAll(() => projects.forEach(({ remove }) => remove()));

  it('on changing features under live models', () => {
    expectShown(runGuide(join(GUIDES, 'evolving.md'), projects[0]), 3);
  }, 300_000);

  it('on definitions in CI', () => {
    // The change that it plans is the first one of the other guide; no training set was made there.
    startGuide(join(GUIDES, 'evolving.md'), projects[1], [
      'headrace apply',
      'headrace push purchases events.jsonl',
      'headrace materialize --incremental',
      'headrace models register returns returns.onnx',
    ]);
    expectShown(runGuide(join(GUIDES, 'definitions-in-ci.md'), projects[1]), 3);
  }, 300_000);
});
