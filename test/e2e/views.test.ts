// `headrace views` as a user sees it: what a view does now, and whose clock to look at.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MICROS_PER_HOUR } from '../../src/core/index.ts';
import { openRuns } from '../../src/online/index.ts';
import { type Database, openDatabase } from '../../src/storage/index.ts';
import { CONFIG, createProject, headrace, headraceJson, type Project, REPOSITORY } from '../support/serving-project.ts';

describe('headrace views', () => {
  let project: Project;
  let database: Database;
  beforeAll(async () => {
    project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY });
    headraceJson(project, ['apply']);
    project.write('events.jsonl', '{"customer":"ada","amount":1,"points":1,"bought_at":"2024-01-01T00:00:00Z"}\n');
    headraceJson(project, ['push', 'purchases', 'events.jsonl']);
    database = await openDatabase(`sqlite:${project.file('.headrace/registry.db')}`);
  });
  afterAll(async () => {
    await database.close();
    project.remove();
  });
  const said = () => headrace(project, ['views']).stdout;

  it('names the clock of a server that is ahead, while the server lives', async () => {
    const writers = database.tables<{ event_writers: { state: string; seen_micros: number } }>();
    const ahead = Date.now() * 1000 + 2 * MICROS_PER_HOUR;
    await writers.updateTable('event_writers').set({ seen_micros: ahead }).execute();
    // What it pushed waits for a run; the clock can mislead no more.
    expect(said()).toContain('writer 1 on ');
    expect(said()).not.toContain('The clock of');
    await writers.updateTable('event_writers').set({ state: 'open' }).execute();
    expect(said()).toMatch(/^The clock of writer 1 on .* ahead of this one/m);
  });

  it('says of a run that has asked that it waits for its turn', async () => {
    const [view] = (headraceJson(project, ['views']) as { views: { view: string; version: string }[] }).views;
    if (view === undefined) throw new Error('no view');
    const asks = { snapshot: [], proposed: 0, asOf: 0, carriesWaiting: true, fingerprint: '', askedMicros: 0 };
    await (await openRuns(database)).ask({ view: view.view, version: view.version, ...asks });
    expect(said()).toContain('run 1 has asked, and waits its turn');
  });
});
