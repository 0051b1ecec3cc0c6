// Retention through the command line: what a user sees of it, and what a training set says of what is gone.
// twin: test/integration/retention.test.ts > retention

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/storage/index.ts';
import { send, type TestProject, testProject } from '../support/test-project.ts';

const FILES = {
  'headrace.config.ts': `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop', pushLog: { retention: '2d' } });
`,
  'feature_repo/shop.ts': `import { count, entity, featureService, featureView, pushed, t } from 'headrace';
export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = pushed('purchases', {
  columns: { customer: t.string(), bought_at: t.timestamp() }, eventTime: 'bought_at',
});
export const history = featureView('history', {
  entity: customer, source: purchases, features: { bought: count().over('1d') },
});
export const features = featureService('features', [history]);
`,
};
const ago = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString();
/** Pushes a purchase of each customer, so many days ago. */
const push = (project: TestProject, ...purchases: readonly (readonly [customer: string, days: number])[]): void => {
  const lines = purchases.map(([customer, days]) => `${JSON.stringify({ customer, bought_at: ago(days) })}\n`);
  project.write('events.jsonl', lines.join(''));
  project.json('push purchases events.jsonl');
};
const bought = (project: TestProject, ...customers: string[]) =>
  project
    .features(
      'features',
      customers.map((customer) => ({ customer })),
    )
    .map((row) => row['history__bought']);

// In order.
describe('headrace log prune', () => {
  const project = testProject(FILES, 'apply');

  it('says what would go, removes it, and says what is left', () => {
    push(project, ['ada', 5], ['ada', 4]);
    push(project, ['ada', 4], ['ada', 0.5]);
    project.json('materialize --incremental');
    const planned = project.json<object>('log prune --dry-run');
    expect(planned).toMatchObject({
      dry_run: true,
      writers: [
        { writer: 1, cuts: { from: 1, to: 1 }, rows: { purchases: 2 }, next_stays: null },
        { writer: 2, cuts: null, rows: {}, next_stays: { cut: 1, why: 'new', source: 'purchases' } },
      ],
    });
    expect(project.run('log list').stdout).toMatch(/1 to 1 .*\n.* 1 to 1 /);
    expect(project.json('log prune')).toEqual({ ...planned, dry_run: false });
    expect(project.run('log list').stdout).toMatch(/none \(1 removed\).*\n.* 1 to 1 /);
    expect(project.run('log prune').stdout).toContain('it holds events of purchases that are too young');
  });

  it('leaves reads as they are, and a training set says from which cut on it read', () => {
    expect(bought(project, 'ada')).toEqual([1]);
    const spine = `SELECT 'ada' AS customer, TIMESTAMP '${ago(0).slice(0, 19)}' AS t`;
    const create = 'training-set create --service features --timestamp t --out out.parquet --spine'.split(' ');
    const made = project.json<{ id: string }>([...create, spine]);
    expect(made).toMatchObject({ sources: [{ pushed: { rows: 2, log_floor: 3, removed_floor: 2 } }] });
    const { stdout } = project.run(['training-set', 'show', made.id]);
    expect(stdout).toContain('writers below 3 whole; retention had removed writers below 2 whole');
  });

  it('leaves a training set of an older Headrace that cannot tell whether the log alone counted', async () => {
    const shown = (log_alone: boolean | null) =>
      expect(project.json('training-set list')).toMatchObject({ training_sets: [{ sources: [{ log_alone }] }] });
    shown(false);
    const database = await openDatabase(`sqlite:${project.file('.headrace/registry.db')}`);
    const sets = database.tables<{ training_sets: { record: string } }>();
    const { record } = await sets.selectFrom('training_sets').selectAll().executeTakeFirstOrThrow();
    const older = record.replace(',"isLogAlone":false', '');
    expect(older).not.toBe(record);
    await sets.updateTable('training_sets').set({ record: older }).execute();
    await database.close();
    shown(null);
  });
});

describe('headrace log forget', () => {
  const project = testProject(FILES, 'apply');

  it('gives up what is damaged, as the error says it can be, and nothing else', () => {
    push(project, ['ada', 0.05], ['ada', 0.05]);
    push(project, ['bob', 0.05]);
    const objects = project.file('.headrace/artifacts/events');
    const [first = ''] = readdirSync(objects).filter((name) => name.startsWith('1-'));
    rmSync(join(objects, first), { recursive: true });
    const failed = project.run('materialize --incremental').stderr;
    expect(failed).toContain('HR_LOG_DAMAGED');
    const [, advised = ''] = /headrace (log forget 1 --through 1)$/m.exec(failed) ?? [];
    // Ended as it has, there is nothing to forget.
    expect(project.run('log forget 1').stdout).toMatch(/^Writer 1 has ended: .* --through CUT$/m);
    expect(project.run('materialize --incremental').stderr).toContain('HR_LOG_DAMAGED');
    expect(bought(project, 'ada')).toEqual([2]);
    expect(project.json(advised)).toEqual({ writer: 1, given_up: { through: 1, rows: { purchases: 2 } } });
    push(project, ['ada', 0.05]);
    expect(project.json('materialize --incremental')).toMatchObject({ views: [{ state: 'finished' }] });
    // Of the three, the two that were given up go with the key's next base.
    expect(bought(project, 'ada', 'bob')).toEqual([1, 1]);
  });

  it('gives up what a living server shipped, and the server goes on', async () => {
    const server = await project.serve();
    const sell = async () => {
      const rows = [{ customer: 'cy', bought_at: ago(0.05) }];
      expect((await send(`${server.url}/v1/sources/purchases/push`, { rows })).status).toBe(200);
    };
    const openWriters = () =>
      project
        .json<{ writers: { writer: number; state: string }[] }>('log list')
        .writers.filter(({ state }) => state === 'open')
        .map(({ writer }) => writer);
    await sell();
    project.json('materialize --incremental');
    const [writer, ...others] = openWriters();
    expect(others).toEqual([]);
    const given_up = { through: 1, rows: { purchases: 1 } };
    expect(project.json(`log forget ${writer} --through 1`)).toEqual({ writer, given_up });
    expect(openWriters()).toEqual([writer]);
    await sell();
    expect(project.run('log forget 99 --through 1').stderr).toContain('HR_UNKNOWN_WRITER');
  });
});
