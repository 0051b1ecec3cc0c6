// What is redacted by its name, on a server: the log has nothing of it, whatever its type, and a name of nothing is told.

import { afterEach, describe, expect, it } from 'vitest';
import { applyRepository, openApp, readEnvironment } from '../../src/app/index.ts';
import { type Logger, silentLogger } from '../../src/core/index.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { predictionLogSql } from '../support/log-relations.ts';

const REPOSITORY = `import { endpoint, featureService, model, onDemandView, t } from 'headrace';
export const basket = onDemandView('basket', {
  inputs: { request: { who: t.bytes(), gone: t.string().optional(), amount: t.int64(), city: t.string() } },
  features: { twice: t.float64() },
  transform: ({ request }) => ({ twice: 2 * Number(request.amount) }),
});
export const numbers = featureService('numbers', [basket]);
export const returns = model('returns', { features: numbers, outputs: { probability: t.float32() } });
export const some = endpoint('some', { model: returns, unit: ['city', 'who', 'gone'] });
export const all = endpoint('all', { model: returns, unit: ['who', 'gone', 'amount', 'city'] });
`;
const ROW = { who: Buffer.from('secret').toString('base64'), gone: null, amount: '7', city: 'Ulm' };

let open: OpenServing | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

async function serve(redact: string, more: Partial<Parameters<typeof openServing>[0]> = {}): Promise<OpenServing> {
  open = await openServing({
    repository: REPOSITORY,
    features: 1,
    settings: { HEADRACE_PREDICTION_LOG_REDACT: redact },
    ...more,
  });
  return open;
}

/** What the log has of one prediction. */
async function logged({ app, serving, post }: OpenServing, endpoint: string): Promise<unknown> {
  const answer = await post(`/v1/endpoints/${endpoint}/predict`, { inputs: [ROW] });
  expect(answer.statusCode, answer.body).toBe(200);
  await serving.stop();
  const connection = await (await app.duckdb()).connect();
  try {
    const sql = await predictionLogSql(connection, app.config.values['predictionLog.path']);
    const read = await connection.runAndReadAll(`SELECT unit, request::VARCHAR FROM (${sql})`);
    const [[unit, request]] = read.getRowsJson() as [[unknown, string]];
    return { unit, request: JSON.parse(request) as unknown };
  } finally {
    connection.closeSync();
  }
}

const REQUEST = { who: ROW.who, gone: null, amount: 7, city: 'Ulm' };

describe('a redacted column', () => {
  it.each([
    ['of bytes', 'who', ['Ulm', '', ''], { who: null }],
    ['that is null', 'gone', ['Ulm', ROW.who, ''], {}],
    ['of an endpoint', 'some.city', ['', ROW.who, ''], { city: null }],
    ['of another endpoint', 'all.city', ['Ulm', ROW.who, ''], {}],
    ['beside another', 'who, city', ['', '', ''], { who: null, city: null }],
  ])('%s is not in the unit, and other columns are', async (_, redact, unit, changed) => {
    expect(await logged(await serve(redact), 'some')).toEqual({ unit, request: { ...REQUEST, ...changed } });
  });

  it.each([
    ['who', ['', '', '7', 'Ulm'], { who: null }],
    ['amount', [ROW.who, '', '', 'Ulm'], { amount: null }],
    ['gone', [ROW.who, '', '7', 'Ulm'], {}],
  ])('%s is not in the unit of an endpoint that has all columns in it', async (redact, unit, changed) => {
    expect(await logged(await serve(redact), 'all')).toEqual({ unit, request: { ...REQUEST, ...changed } });
  });
});

describe('an outcome of a unit', () => {
  const AT = '2026-01-01T00:00:00Z';
  it.each(['city', 'some.unit'])(
    'is refused where %s is redacted, for it would name what the log must not have',
    async (redact) => {
      const { post } = await serve(redact);
      const unit = ['Ulm', ROW.who, ''];
      const answer = await post('/v1/endpoints/some/outcomes', { outcomes: [{ unit, at: AT, value: 1 }] });
      expect([answer.statusCode, answer.json()]).toMatchObject([
        400,
        { errors: [{ path: 'outcomes[0].unit', message: expect.stringContaining('tell it by prediction_id') }] },
      ]);
    },
  );
});

describe('a name of what no endpoint has', () => {
  const NAMES = 'whoo, some.who, all.basket__twice, probability, other.who, unit, some.unit, al.unit, some.amount';

  it('is told once, with what it may have meant, and again only once the definitions had it', async () => {
    const { logger, told } = recordWarnings();
    const { project } = await serve(NAMES, { logger });
    expect(told.map(([name]) => name)).toEqual(['whoo', 'other.who', 'al.unit']);
    expect(told[0]?.[1]).toContain('Did you mean "who"?');
    // Version 1 goes on with the columns that it was trained with.
    project.write(
      'feature_repo/shop.ts',
      REPOSITORY.replace("endpoint('all'", "endpoint('every'").replaceAll('amount', 'total'),
    );
    const environment = { ...readEnvironment({}), workingDirectory: project.directory };
    const operator = await openApp({ environment, logger: silentLogger });
    await applyRepository(operator, { allowBreaking: true });
    await operator.close();
    await expect.poll(() => told.length, { timeout: 15_000 }).toBe(4);
    expect(told[3]?.[0]).toBe('all.basket__twice');
  });

  it('is told by one worker of several', async () => {
    const { logger, told } = recordWarnings();
    await serve(NAMES, { logger, serve: { compacts: false } });
    expect(told).toEqual([]);
  });
});

/** The names that are warned of, each with the message. */
function recordWarnings(): { readonly logger: Logger; readonly told: (readonly [name: unknown, message: string])[] } {
  const told: [unknown, string][] = [];
  const warn = (fields: object, message: string): void => {
    if ('redact' in fields) told.push([fields.redact, message]);
  };
  return { logger: { ...silentLogger, warn }, told };
}
