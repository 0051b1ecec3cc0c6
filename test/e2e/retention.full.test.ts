// Retention through the command line: what a user sees of it, and what a training set says of what is gone.
// twin: test/integration/retention.test.ts > retention

import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../src/storage/index.ts';
import { createProject, headrace, headraceJson, type Project, startServe } from '../support/serving-project.ts';

const DAY_MS = 86_400_000;
const CONFIG = `import { defineConfig } from 'headrace';
export default defineConfig({ project: 'shop', pushLog: { retention: '2d' } });
`;
const REPOSITORY = `import { count, entity, featureService, featureView, pushed, t } from 'headrace';
export const customer = entity('customer', { keys: { customer: t.string() } });
export const purchases = pushed('purchases', {
  columns: { customer: t.string(), bought_at: t.timestamp() }, eventTime: 'bought_at',
});
export const history = featureView('history', {
  entity: customer, source: purchases, features: { bought: count().over('1d') },
});
export const features = featureService('features', [history]);
`;

describe('headrace log prune', () => {
  let project: Project;
  const ago = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString();
  const push = (...days: number[]) => {
    const lines = days.map((one) => JSON.stringify({ customer: 'ada', bought_at: ago(one) }));
    project.write('events.jsonl', `${lines.join('\n')}\n`);
    headraceJson(project, ['push', 'purchases', 'events.jsonl']);
  };
  beforeAll(() => {
    project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY });
    headraceJson(project, ['apply']);
    push(5, 4);
    push(4, 0.5);
    headraceJson(project, ['materialize', '--incremental']);
  });
  afterAll(() => project.remove());

  it('says what would go, removes it, and says what is left', () => {
    const planned = headraceJson(project, ['log', 'prune', '--dry-run']);
    expect(planned).toMatchObject({
      dry_run: true,
      writers: [
        { writer: 1, cuts: { from: 1, to: 1 }, rows: { purchases: 2 }, next_stays: null },
        { writer: 2, cuts: null, rows: {}, next_stays: { cut: 1, why: 'new', source: 'purchases' } },
      ],
    });
    expect(headrace(project, ['log', 'list']).stdout).toMatch(/1 to 1 .*\n.* 1 to 1 /);
    expect(headraceJson(project, ['log', 'prune'])).toEqual({ ...(planned as object), dry_run: false });
    expect(headrace(project, ['log', 'list']).stdout).toMatch(/none \(1 removed\).*\n.* 1 to 1 /);
    expect(headrace(project, ['log', 'prune']).stdout).toContain('it holds events of purchases that are too young');
  });

  it('leaves reads as they are, and a training set says from which cut on it read', () => {
    const read = ['features', 'get', '--service', 'features', '--rows', '[{"customer":"ada"}]'];
    expect(headraceJson(project, read)).toMatchObject({ rows: [{ features: { history__bought: 1 } }] });
    const spine = `SELECT 'ada' AS customer, TIMESTAMP '${ago(0).slice(0, 19)}' AS t`;
    const out = ['--timestamp', 't', '--out', 'out.parquet'];
    const made = headraceJson(project, ['training-set', 'create', '--service', 'features', '--spine', spine, ...out]);
    expect(made).toMatchObject({ sources: [{ pushed: { rows: 2, log_floor: 3, removed_floor: 2 } }] });
    const { stdout } = headrace(project, ['training-set', 'show', (made as { id: string }).id]);
    expect(stdout).toContain('writers below 3 whole; retention had removed writers below 2 whole');
  });

  it('leaves a training set of an older Headrace that cannot tell whether the log alone counted', async () => {
    const shown = () => headraceJson(project, ['training-set', 'list']) as { training_sets: { sources: object[] }[] };
    expect(shown().training_sets[0]?.sources).toMatchObject([{ log_alone: false }]);
    const database = await openDatabase(`sqlite:${project.file('.headrace/registry.db')}`);
    try {
      const sets = database.tables<{ training_sets: { record: string } }>();
      const { record } = await sets.selectFrom('training_sets').selectAll().executeTakeFirstOrThrow();
      const older = record.replace(',"isLogAlone":false', '');
      expect(older).not.toBe(record);
      await sets.updateTable('training_sets').set({ record: older }).execute();
    } finally {
      await database.close();
    }
    expect(shown().training_sets[0]?.sources).toMatchObject([{ log_alone: null }]);
  });
});

describe('headrace log forget', () => {
  let project: Project;
  const push = (...customers: string[]) => {
    const at = new Date(Date.now() - 3_600_000).toISOString();
    project.write('events.jsonl', customers.map((customer) => JSON.stringify({ customer, bought_at: at })).join('\n'));
    headraceJson(project, ['push', 'purchases', 'events.jsonl']);
  };
  const boughtBy = (customer: string) => {
    const rows = JSON.stringify([{ customer }]);
    return headraceJson(project, ['features', 'get', '--service', 'features', '--rows', rows]);
  };
  beforeAll(() => {
    project = createProject({ 'headrace.config.ts': CONFIG, 'feature_repo/shop.ts': REPOSITORY });
    headraceJson(project, ['apply']);
  });
  afterAll(() => project.remove());

  it('gives up what is damaged, as the error says it can be, and nothing else', () => {
    push('ada', 'ada');
    push('bob');
    const objects = join(project.directory, '.headrace/artifacts/events');
    const [first = ''] = readdirSync(objects).filter((name) => name.startsWith('1-'));
    rmSync(join(objects, first), { recursive: true });
    const failed = headrace(project, ['materialize', '--incremental']);
    expect(failed.stderr).toContain('HR_LOG_DAMAGED');
    const [, advised = ''] = /headrace (log forget 1 --through 1)$/m.exec(failed.stderr) ?? [];
    // Ended as it has, there is nothing to forget.
    expect(headrace(project, ['log', 'forget', '1']).stdout).toMatch(/^Writer 1 has ended: .* --through CUT$/m);
    expect(headrace(project, ['materialize', '--incremental']).stderr).toContain('HR_LOG_DAMAGED');
    expect(boughtBy('ada')).toMatchObject({ rows: [{ features: { history__bought: 2 } }] });
    expect(headraceJson(project, advised.split(' '))).toEqual({
      writer: 1,
      given_up: { through: 1, rows: { purchases: 2 } },
    });
    push('ada');
    expect(headraceJson(project, ['materialize', '--incremental'])).toMatchObject({ views: [{ state: 'finished' }] });
    // Of the three, the two that were given up go with the key's next base.
    expect(boughtBy('ada')).toMatchObject({ rows: [{ features: { history__bought: 1 } }] });
    expect(boughtBy('bob')).toMatchObject({ rows: [{ features: { history__bought: 1 } }] });
  });

  it('gives up what a living server shipped, and the server goes on', async () => {
    const server = await startServe(project);
    const sell = async () => {
      const response = await fetch(`${server.url}/v1/sources/purchases/push`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ rows: [{ customer: 'cy', bought_at: new Date(Date.now() - 3_600_000).toISOString() }] }),
      });
      expect(response.status).toBe(200);
    };
    try {
      await sell();
      headraceJson(project, ['materialize', '--incremental']);
      const openWriters = () => {
        const { writers } = headraceJson(project, ['log', 'list']) as { writers: { writer: number; state: string }[] };
        return writers.filter(({ state }) => state === 'open').map(({ writer }) => writer);
      };
      const [writer, ...others] = openWriters();
      expect(others).toEqual([]);
      expect(headraceJson(project, ['log', 'forget', String(writer), '--through', '1'])).toEqual({
        writer,
        given_up: { through: 1, rows: { purchases: 1 } },
      });
      expect(openWriters()).toEqual([writer]);
      await sell();
    } finally {
      await server.stop();
    }
    const unknown = headrace(project, ['log', 'forget', '99', '--through', '1']);
    expect(unknown.stderr).toContain('HR_UNKNOWN_WRITER');
  });
});
