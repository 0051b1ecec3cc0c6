// What is redacted by its name, on a server: the log has nothing of it, whatever its type, and a name of nothing is told.

import { afterEach, describe, expect, it } from 'vitest';
import { predictionLogSql } from '../../src/monitoring/index.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';

const REPOSITORY = `import { endpoint, featureService, model, onDemandView, t } from 'headrace';
export const basket = onDemandView('basket', {
  inputs: { request: { who: t.bytes(), gone: t.string().optional(), amount: t.int64(), city: t.string() } },
  features: { twice: t.float64() },
  transform: ({ request }) => ({ twice: 2 * Number(request.amount) }),
});
export const numbers = featureService('numbers', [basket]);
export const returns = model('returns', { features: numbers, outputs: { probability: t.float32() } });
export const some = endpoint('some', { model: returns, unit: ['city', 'who', 'gone'] });
export const all = endpoint('all', { model: returns });
`;
const ROW = { who: Buffer.from('secret').toString('base64'), gone: null, amount: '7', city: 'Ulm' };

let open: OpenServing | undefined;
afterEach(async () => {
  await open?.close();
  open = undefined;
});

async function serve(redact: string): Promise<OpenServing> {
  open = await openServing({
    repository: REPOSITORY,
    features: 1,
    settings: { HEADRACE_PREDICTION_LOG_REDACT: redact },
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
  ])('%s is not in the unit of an endpoint that names none', async (redact, unit, changed) => {
    expect(await logged(await serve(redact), 'all')).toEqual({ unit, request: { ...REQUEST, ...changed } });
  });
});
