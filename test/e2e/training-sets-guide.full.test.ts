// The guide on training sets over HTTP, typed from top to bottom beside a server that runs.
// twin: test/integration/training-sets-http.test.ts > a spine that is sent along

import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runGuide } from '../support/run-guide.ts';
import { headraceJson, type Project, type ServerProcess, startServe } from '../support/serving-project.ts';
import { createTrainingSetProject, spineSql, writeBySql } from '../support/training-set-server.ts';

const GUIDE = join(import.meta.dirname, '../../docs/guides/training-sets.md');

let project: Project;
let server: ServerProcess;
beforeAll(async () => {
  project = await createTrainingSetProject(2000);
  project.write(
    'feature_repo/delays.ts',
    `import { featureService } from 'headrace';\nimport { history } from './shop.ts';\nexport const delay_features = featureService('delay_features', [history]);\n`,
  );
  headraceJson(project, ['apply']);
  mkdirSync(project.file('feature_repo/data'));
  await writeBySql(project.file('feature_repo/data/spine.parquet'), spineSql(500).replace('AS at', 'AS scheduled_at'));
  server = await startServe(project);
}, 120_000);
afterAll(async () => {
  await server.stop();
  project.remove();
});

it('makes and fetches a set, which is the command’s', () => {
  const section = /\n## Over HTTP\n[\s\S]*?(?=\n## )/.exec(readFileSync(GUIDE, 'utf8'))?.[0] ?? '';
  const page = project.write('over-http.md', section);
  const shown = runGuide(page, project, { HEADRACE_URL: server.url });
  expect(shown.length).toBe(1);
  for (const { command, shown: expected, printed } of shown) expect(printed, command).toBe(expected);
  const by = [
    '--service',
    'delay_features',
    '--timestamp',
    'scheduled_at',
    '--label',
    'late',
    '--out',
    'by-command.parquet',
  ];
  headraceJson(project, ['training-set', 'create', '--spine', 'feature_repo/data/spine.parquet', ...by]);
  expect(readFileSync(project.file('over_http.parquet')).equals(readFileSync(project.file('by-command.parquet')))).toBe(
    true,
  );
}, 120_000);
