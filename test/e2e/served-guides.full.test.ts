// Guides that are typed from top to bottom beside a server that runs. What their Python prints is held by test/interop.
// twin: test/integration/serving-feast.test.ts > Feast’s HTTP API
// twin: test/unit/models-graph.test.ts > a function that a graph runs
// twin: test/e2e/serve.test.ts > a server of two workers
// twin: test/integration/serving-oip.test.ts > inference

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { scenarios } from '../../load-tests/scenarios.ts';
import { linearModel } from '../support/onnx-model.ts';
import { serveGuide } from '../support/served-guide.ts';
import { createServingProject } from '../support/serving-project.ts';

function withScorer() {
  const project = createServingProject();
  project.write('scorer.onnx', linearModel(3));
  return project;
}

describe.each([
  ['feast-clients.md', 3],
  ['graphs.md', 4],
  ['deploy-a-model.md', 7],
])('%s', (name, commands) => {
  const guide = serveGuide(name);
  it('shows what its commands print', () => {
    expect(guide.type()).toBe(commands);
  }, 120_000);
});

describe('triton-clients.md', () => {
  const guide = serveGuide('triton-clients.md', withScorer);
  it('shows what its commands print', () => {
    expect(guide.type()).toBeGreaterThanOrEqual(7);
  }, 120_000);
});

describe('tune-latency.md', () => {
  const guide = serveGuide('tune-latency.md');
  it('shows what its commands print', () => {
    expect(guide.type()).toBeGreaterThanOrEqual(3);
    const answer = JSON.parse(readFileSync(guide.project().file('answer.json'), 'utf8')) as unknown;
    expect(answer).toMatchObject({ endpoint: 'checkout' });
  }, 120_000);

  it('shows load tests that there are, with options that they take', () => {
    const program = readFileSync(join(import.meta.dirname, '../../load-tests/run.ts'), 'utf8');
    const lines = [...readFileSync(guide.path, 'utf8').matchAll(/^npm run load -- (.+)$/gm)].map(([, line = '']) =>
      line.split(' '),
    );
    expect(lines.length).toBeGreaterThan(2);
    for (const words of lines) {
      const [name = ''] = words;
      if (!name.startsWith('--')) expect(scenarios.map((scenario) => scenario.name)).toContain(name);
      for (const option of words.filter((word) => word.startsWith('--'))) expect(program).toContain(`  ${option}`);
    }
  });
});
