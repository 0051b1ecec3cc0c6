// `headrace views` as a user sees it: what a view does now, and whose clock to look at.

import { expect, it, onTestFinished } from 'vitest';
import { MICROS_PER_HOUR } from '../../src/core/index.ts';
import { openRuns } from '../../src/online/index.ts';
import { openDatabase } from '../../src/storage/index.ts';
import { REPOSITORY } from '../support/serving-project.ts';
import { ownProject } from '../support/test-project.ts';

it('headrace views names the clock of a living server that is ahead, and says of a run that asks that it waits', async () => {
  const project = ownProject({ 'feature_repo/shop.ts': REPOSITORY });
  project.json('apply');
  project.write('events.jsonl', '{"customer":"ada","amount":1,"points":1,"bought_at":"2024-01-01T00:00:00Z"}\n');
  project.json('push purchases events.jsonl');
  const database = await openDatabase(`sqlite:${project.file('.headrace/registry.db')}`);
  onTestFinished(() => database.close());
  const said = () => project.run('views').stdout;
  const writers = database.tables<{ event_writers: { state: string; seen_micros: number } }>();
  const ahead = Date.now() * 1000 + 2 * MICROS_PER_HOUR;
  await writers.updateTable('event_writers').set({ seen_micros: ahead }).execute();
  // What it pushed waits for a run; the clock can mislead no more.
  expect(said()).toContain('writer 1 on ');
  expect(said()).not.toContain('The clock of');
  await writers.updateTable('event_writers').set({ state: 'open' }).execute();
  expect(said()).toMatch(/^The clock of writer 1 on .* ahead of this one/m);

  const [view] = project.json<{ views: { view: string; version: string }[] }>('views').views;
  const asks = { snapshot: [], proposed: 0, asOf: 0, carriesWaiting: true, fingerprint: '', askedMicros: 0 };
  await (await openRuns(database)).ask({ view: view?.view ?? '', version: view?.version ?? '', ...asks });
  expect(said()).toContain('run 1 has asked, and waits its turn');
});
