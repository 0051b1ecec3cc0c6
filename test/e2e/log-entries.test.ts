// What a folder that was set aside holds, printed by the command that its error names, in the form that a push reads.

import { renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openApp } from '../../src/app/index.ts';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { createServingProject, headrace, headraceJson } from '../support/serving-project.ts';

it('prints the entries that the log lacks, which can be pushed again', async () => {
  const project = createServingProject();
  onTestFinished(() => project.remove());
  const environment = { variables: {}, workingDirectory: project.directory, actor: 'test' };
  const app = await openApp({ environment, clock: systemClock, logger: silentLogger });
  const log = await app.log();
  const writer = await log.register();
  await writer.openCut(new Map());
  const source = (await app.applied()).manifest.sources['purchases'] as SourceSpec;
  const [knownMicros, boughtAt] = [1_790_000_000_000_000, '2026-09-21T14:13:20Z'];
  const row = { customer: 'eve', amount: 2.5, points: 9_007_199_254_740_993n, bought_at: knownMicros };
  await writer.append({ source, rows: [{ row, knownMicros }], key: { key: 'order-1', hash: 'h' } });
  const place = (await log.writers()).find(({ number }) => number === writer.writer);
  await log.close();
  await app.close();
  const folder = join(project.directory, '.headrace/push-log', `${place?.number}-${place?.token}`);
  const aside = join(dirname(folder), `.copied-${basename(folder)}`);
  renameSync(folder, aside);

  const entry = { source: 'purchases', known_at: boughtAt, key: 'order-1' };
  const { stdout } = headrace(project, ['log', 'entries', aside]);
  expect(JSON.parse(stdout)).toMatchObject({ ...entry, row: { customer: 'eve', amount: 2.5, bought_at: boughtAt } });
  const again = headrace(project, ['log', 'entries', aside, '--source', 'purchases']).stdout;
  expect(again).toContain('"points":9007199254740993,');
  project.write('again.jsonl', again);
  expect(headraceJson(project, ['push', 'purchases', 'again.jsonl'])).toMatchObject({ accepted: 1 });
  const mistyped = headrace(project, ['log', 'entries', aside, '--source', 'purchase']);
  expect(mistyped).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('HR_UNKNOWN_SOURCE') });
  expect(mistyped.stderr).toContain('Did you mean "purchases"?');
  for (const other of [project.directory, join(project.directory, '1-ab')])
    expect(headrace(project, ['log', 'entries', other])).toMatchObject({
      stderr: expect.stringContaining('HR_INVALID'),
    });
});
