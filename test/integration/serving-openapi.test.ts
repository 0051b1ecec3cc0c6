// The OpenAPI document of a server is valid, of the user's own columns, and true: rows made from its schemas are taken, and
// answers are what it says of them.

import { Validator } from '@seriousme/openapi-schema-validator';
import addFormats from 'ajv-formats';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringifyJson } from '../../src/core/index.ts';
import { openForAll } from '../support/open-for.ts';
import { applyBeside } from '../support/open-serving.ts';
import { type Schema, type Schemas, valuesOf } from '../support/schema-values.ts';
import { TYPED_REPOSITORY } from '../support/typed-shop.ts';
import { runs } from '../support/tier.ts';

interface Body {
  readonly content: { readonly 'application/json': { readonly schema: Schema; readonly example: unknown } };
}
interface Operation {
  readonly operationId: string;
  readonly description?: string;
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody: Body;
  readonly responses: { readonly 200: Body };
}
interface Document {
  readonly openapi: string;
  readonly info: { readonly title: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Schemas };
}

const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);
let document: Document;
const open = openForAll({ repository: TYPED_REPOSITORY, features: 3 }, async ({ serving }) => {
  document = (await serving.server.inject('/openapi.json')).json();
  ajv.addSchema({ $id: 'doc', components: { schemas: document.components.schemas } });
});

function postOf(path: string): Operation {
  const operation = document.paths[path]?.['post'];
  if (operation === undefined) throw new Error(`the document has no POST ${path}`);
  return operation;
}
const bodySchema = (path: string): Schema => postOf(path).requestBody.content['application/json'].schema;
const compileSchema = (schema: Schema) =>
  ajv.compile(JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"doc#/components/')) as object);
const get = (etag?: string) =>
  open.serving.server.inject({ url: '/openapi.json', headers: etag === undefined ? {} : { 'if-none-match': etag } });
const send = (url: string, body: unknown) => {
  const headers = { 'content-type': 'application/json' };
  return open.serving.server.inject({ method: 'POST', url, headers, payload: stringifyJson(body) });
};

const READ = '/v1/services/shop_features/read';
const PREDICT = '/v1/endpoints/checkout/predict';
const PUSH = '/v1/sources/purchases/push';
const TYPED = [PREDICT, '/v1/endpoints/checkout/outcomes', '/v1/features/read', READ, PUSH];

describe('the document', () => {
  it('is valid, has each operation once, and a typed path per endpoint, service and source', async () => {
    expect(await new Validator().validate(structuredClone(document) as never)).toEqual({ valid: true });
    const operations = Object.values(document.paths).flatMap((item) => Object.values(item));
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Headrace: shop' } });
    expect(Object.keys(document.paths)).toEqual(expect.arrayContaining([...TYPED, '/v1/status', '/health/ready']));
    expect(Object.keys(document.paths)).not.toContain('/v1/endpoints/{endpoint}/predict');
    // HEAD is answered, too, and is nothing that a client is made from.
    expect(Object.keys(document.paths['/health/live'] ?? {})).toEqual(['get']);
  });

  it('has the columns, with what people wrote of them', () => {
    const { schemas } = document.components;
    expect(schemas['EndpointRow_checkout']).toMatchObject({
      required: ['customer', 'amount', 'points', 'at', 'hints'],
      properties: { customer: { type: 'string', description: 'Key of customer' }, hints: { type: 'array' } },
    });
    expect(schemas['EndpointOutputs_checkout']).toMatchObject({ required: ['probability'] });
    expect(schemas['SourceRow_purchases']).toMatchObject({
      required: ['bought_at'],
      properties: {
        embedding: { minItems: 3, maxItems: 3, type: ['array', 'null'] },
        bought_at: { $ref: '#/components/schemas/Timestamp' },
      },
    });
    expect(postOf(PREDICT)).toMatchObject({ description: 'Will it come back?', operationId: 'predict_checkout' });
    expect(postOf(PUSH).description).toContain('Owner: shop team');
  });

  it('says If-Match of the changes of a rollout, and not of its start, which has none to compare', () => {
    const headersOf = (path: string) => document.paths[path]?.['post']?.parameters?.map(({ name }) => name);
    expect(headersOf('/v1/rollouts')).toEqual(['x-reason']);
    expect(headersOf('/v1/rollouts/{id}/pause')).toContain('if-match');
  });

  it('is not sent to who has it, and is another when the definitions are', async () => {
    const etag = String((await get()).headers['etag']);
    expect(etag).toMatch(/^"[0-9a-f]{64}"$/);
    for (const held of [etag, `W/${etag}`, `"other", ${etag}`, '*'])
      expect(await get(held)).toMatchObject({ statusCode: 304, body: '', headers: { etag } });
    expect((await get('"other"')).statusCode).toBe(200);
    // Traffic is no definition.
    const payload = { variants: [{ name: 'stable', version: 1, weight: 100 }] };
    await open.serving.server.inject({ method: 'PUT', url: '/v1/endpoints/checkout', payload });
    expect((await get(etag)).statusCode).toBe(304);
    const more = `import { featureService } from 'headrace';
import { history } from './shop.ts';
export const more = featureService('more', [history]);
`;
    open.project.write('feature_repo/more.ts', more);
    await applyBeside(open);
    await open.serving.planes.control.refresh();
    const changed = await get(etag);
    expect(changed.statusCode).toBe(200);
    expect(Object.keys(changed.json<Document>().paths)).toContain('/v1/services/more/read');
  });
});

/** No schema says that one time is before another; the description does. */
function hasBackwardOutcome(body: unknown): boolean {
  const { outcomes } = body as { readonly outcomes?: readonly { readonly from?: string; readonly at?: string }[] };
  return outcomes?.some(({ from, at }) => from !== undefined && at !== undefined && from > at) ?? false;
}

describe('what the document says', () => {
  it.each(TYPED)('is true of its own example: POST %s', async (path) => {
    const response = await send(path, postOf(path).requestBody.content['application/json'].example);
    expect(response.statusCode, response.body).toBe(200);
  });

  it.each(TYPED.filter((path) => path !== PUSH))('is true of whatever it lets through: POST %s', async (path) => {
    const isAnswer = compileSchema(postOf(path).responses[200].content['application/json'].schema);
    const isBody = compileSchema(bodySchema(path));
    await fc.assert(
      fc.asyncProperty(valuesOf(bodySchema(path), document.components.schemas), async (body) => {
        expect(isBody(JSON.parse(stringifyJson(body)))).toBe(true);
        const response = await send(path, body);
        if (hasBackwardOutcome(body)) {
          expect(response.body).toContain('is after at');
          return;
        }
        expect(response.statusCode, `${stringifyJson(body)} ${response.body}`).toBe(200);
        expect(isAnswer(JSON.parse(response.body)), `${response.body} ${JSON.stringify(isAnswer.errors)}`).toBe(true);
      }),
      { numRuns: runs(60), endOnFailure: true },
    );
  });

  it('is true of pushes, but for a row that was known before it happened', async () => {
    await fc.assert(
      fc.asyncProperty(valuesOf(bodySchema(PUSH), document.components.schemas), async (body) => {
        const response = await send(PUSH, body);
        if (response.statusCode !== 200) {
          const { code, errors } = response.json<{ code: string; errors: { message: string }[] }>();
          expect({ code, status: response.statusCode }).toEqual({ code: 'HR_INVALID', status: 400 });
          for (const { message } of errors) expect(message).toBe('the known time is before the event time');
        }
      }),
      { numRuns: runs(60), endOnFailure: true },
    );
  });

  it('is never answered with a 5xx, whatever comes', async () => {
    const junk = fc.oneof(
      fc.jsonValue(),
      fc.record({ inputs: fc.jsonValue(), rows: fc.jsonValue(), outcomes: fc.jsonValue(), service: fc.jsonValue() }),
      fc.record({ rows: fc.array(fc.jsonValue()), service: fc.constantFrom('numbers', '__proto__', 'constructor') }),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...TYPED), junk, async (path, body) => {
        const response = await send(path, body);
        expect(response.statusCode, `${path} ${stringifyJson(body)} ${response.body}`).toBeLessThan(500);
      }),
      { numRuns: runs(300), endOnFailure: true },
    );
  });

  it('a service’s own path answers as the one for all does', async () => {
    const row = { customer: 'ada', amount: 1, points: '9223372036854775807', hints: ['1', 2] };
    const rows = [{ ...row, at: '2025-01-01T00:00:00Z' }];
    const own = await send(READ, { rows });
    const any = await send('/v1/features/read', { service: 'shop_features', rows });
    expect({ status: own.statusCode, body: own.body }).toEqual({ status: 200, body: any.body });
    expect((await send('/v1/services/shop_feature/read', { rows })).json()).toMatchObject({
      code: 'HR_UNKNOWN_SERVICE',
      detail: expect.stringContaining('Did you mean "shop_features"?'),
    });
  });
});
