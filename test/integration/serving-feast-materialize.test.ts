// Materializes that Feast's clients ask for over HTTP: in a process of its own, one at a time, ended by the server's stop.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { openForAll } from '../support/open-for.ts';
import { fullIt } from '../support/tier.ts';

const REPOSITORY = `import { csv, endpoint, entity, featureService, featureView, latest, model, parquet, t } from 'headrace';
export const user = entity('user', { keys: { user: t.string() } });
const columns = { user: t.string(), pages: t.int64(), at: t.timestamp() };
export const visits = csv('visits', { path: 'data/visits.csv', columns, eventTime: 'at' });
export const gone = parquet('gone', { path: 'data/gone-*.parquet', columns, eventTime: 'at' });
export const browsing = featureView('browsing', { entity: user, source: visits, features: { pages: latest('pages') } });
export const lost = featureView('lost', { entity: user, source: gone, features: { pages: latest('pages') } });
export const stored = featureService('stored', [browsing]);
export const returns = model('returns', { features: stored, outputs: { probability: t.float32() } });
export const checkout = endpoint('checkout', { model: returns, unit: ['user'] });
`;

describe('a materialize over HTTP', () => {
  const logged: object[] = [];
  const logger = { ...silentLogger, error: (fields: object) => void logged.push(fields) };
  const open = openForAll({
    repository: REPOSITORY,
    features: 1,
    logger,
    settings: { HEADRACE_LOG_REQUESTS: 'none' },
  });
  const write = (lines: readonly string[]): void =>
    void open.project.write('feature_repo/data/visits.csv', `user,pages,at\n${lines.join('\n')}\n`);
  const pages = async (user: string): Promise<unknown> => {
    const asked = { features: ['browsing:pages'], entities: { user: [user] } };
    const answer = await open.post('/get-online-features', asked);
    expect(answer.statusCode, answer.body).toBe(200);
    return (answer.json() as unknown as { results: { values: unknown[] }[] }).results[1]?.values[0];
  };
  const detail = (body: string): unknown => JSON.parse(JSON.parse(body) as string);
  const says = (message: RegExp) => ({ message: expect.stringMatching(message) as string });

  it('fills a view, wholly and then by what is new', async () => {
    write(['ada,3,2026-01-01T00:00:00Z']);
    const body = { start_ts: '2025-12-01T00:00:00', end_ts: '2200-01-01', feature_views: ['browsing'] };
    expect(await open.post('/materialize', body)).toMatchObject({ statusCode: 200, body: 'null' });
    expect(await pages('ada')).toBe(3);
    write(['ada,3,2026-01-01T00:00:00Z', 'bob,4,2026-01-02T00:00:00Z']);
    const end_ts = new Date().toISOString().replace('Z', '');
    const part = await open.post('/materialize-incremental', { end_ts, feature_views: ['browsing'] });
    expect(part).toMatchObject({ statusCode: 200, body: 'null' });
    expect([await pages('ada'), await pages('bob')]).toEqual([3, 4]);
  });

  it('says which view failed, and why', async () => {
    const answer = await open.post('/materialize', { disable_event_timestamp: true, feature_views: ['lost'] });
    expect(answer.statusCode).toBeLessThan(500);
    const why = says(/view "lost" could not be materialized: .*gone/);
    expect(detail(answer.body)).toMatchObject({ class: 'FeastError', ...why });
  });

  // twin: test/integration/serving-feast-materialize.test.ts > says which view failed, and why
  fullIt('that nobody waits for has its failure in the log, whatever the log has of requests', async () => {
    logged.length = 0;
    const body = { disable_event_timestamp: true, feature_views: ['lost'] };
    expect((await open.post('/materialize?async=true', body)).statusCode).toBe(202);
    const reason: unknown = expect.stringContaining('view "lost"');
    const line = { route: '/materialize', code: 'HR_SOURCE_UNREADABLE', reason };
    await expect.poll(() => logged).toMatchObject([line]);
  });

  it('is one at a time, and answered at once where it is asked to be', async () => {
    const body = { end_ts: '2200-01-01', feature_views: ['browsing'] };
    const [first, ...others] = await Promise.all([
      open.post('/materialize-incremental?async=true', body),
      open.post('/materialize-incremental', body),
      open.post('/materialize-incremental?async=true', body),
    ]);
    expect(first.statusCode, first.body).toBe(202);
    expect(first.json()).toEqual({ status: 'accepted', feature_views: ['browsing'] });
    expect(others.map(({ statusCode }) => statusCode)).toEqual([409, 409]);
    for (const { body } of others) expect(detail(body)).toMatchObject(says(/HR_CONFLICT: .*under way/));
    await expect.poll(async () => (await open.post('/materialize-incremental', body)).statusCode).toBe(200);
  });

  const END = { end_ts: '2026-01-01' };
  it.each([
    ['/materialize', {}, 400, /start_ts: expected a time/],
    ['/materialize', { start_ts: '2026-01-02', end_ts: '2026-01-01' }, 400, /start_ts: expected a time before end_ts/],
    ['/materialize', { start_ts: 0, end_ts: '2026-01-01' }, 400, /got number 0/],
    ['/materialize-incremental', { end_ts: 'soon' }, 400, /end_ts/],
    ['/materialize-incremental', { ...END, feature_views: ['browsin'] }, 404, /Did you mean "browsing"/],
    ['/materialize-incremental', { ...END, feature_views: 'browsing' }, 400, /feature_views: expected names/],
    ['/materialize-incremental', { ...END, feature_views: ['__proto__'] }, 404, /no feature view/],
    ['/materialize-incremental', { ...END, version: 'v2' }, 400, /version/],
    ['/materialize', [], 400, /the body must be a JSON object/],
  ])('%s refuses %j', async (path, body, status, message) => {
    const answer = await open.post(path, body);
    expect(answer.statusCode).toBe(status);
    expect(detail(answer.body)).toMatchObject(says(message));
  });

  // twin: test/integration/serving-feast-materialize.test.ts > ends with the server, and is told so
  fullIt.runIf(process.platform === 'linux')('is told that its process was killed, and done by the next', async () => {
    const body = { end_ts: '2200-01-01', feature_views: ['browsing'] };
    const filling = open.post('/materialize-incremental', body).then((answer) => answer);
    await expect.poll(() => fillPids().length).toBe(1);
    for (const pid of fillPids()) process.kill(pid, 'SIGKILL');
    const answer = await filling;
    expect(answer.statusCode, answer.body).toBe(503);
    expect(detail(answer.body)).toMatchObject(says(/^HR_JOB_LOST: .*SIGKILL/));
    expect((await open.post('/materialize-incremental', body)).statusCode).toBe(200);
  });

  it('ends with the server, and is told so', async () => {
    const body = { end_ts: '2200-01-01' };
    // Nothing is sent before somebody waits for it.
    const filling = open.post('/materialize-incremental', body).then((answer) => answer);
    // Its process has begun once a second is refused.
    await expect.poll(async () => (await open.post('/materialize-incremental', body)).statusCode).toBe(409);
    const [answer] = await Promise.all([filling, open.serving.stop()]);
    expect(answer.statusCode).toBe(503);
    expect(detail(answer.body)).toMatchObject(says(/^HR_STOPPING: /));
  });
});

/** Processes of materializes that this one has started, by Linux's word; one may have ended since it was listed. */
function fillPids(): number[] {
  const told = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  const pids = readdirSync('/proc').filter((pid) => /^\d+$/.test(pid));
  const own = pids.filter((pid) => told(`/proc/${pid}/status`).includes(`PPid:\t${process.pid}\n`));
  return own.filter((pid) => told(`/proc/${pid}/cmdline`).includes('fill-main')).map(Number);
}
