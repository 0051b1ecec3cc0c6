// The guide on changing features, from its first command to its last, with all that it shows.

import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { linearModel } from '../support/onnx-model.ts';
import { runGuide } from '../support/run-guide.ts';
import { createProject } from '../support/serving-project.ts';

const GUIDES = join(import.meta.dirname, '../../docs/guides');
const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop' });
`;
const event = (customer: string): string =>
  `{"customer":"${customer}","amount":1,"bought_at":"${new Date(Date.now() - 60_000).toISOString()}"}\n`;

describe('the guide on changing features under live models', () => {
  const project = createProject({
    'headrace.config.ts': CONFIG,
    'events.jsonl': ['ada', 'bob'].map(event).join(''),
    'spine.csv': 'customer,at\nada,2026-01-01T00:00:00Z\n',
    'returns.onnx': linearModel(1),
  });
  afterAll(() => project.remove());

  it('shows what its commands print', () => {
    const shown = runGuide(join(GUIDES, 'evolving.md'), project);
    expect(shown.length).toBeGreaterThan(2);
    for (const one of shown) expect(one.printed, one.command).toBe(one.shown);
  }, 300_000);
});
