// What a server tells of what is there: lists of services, views and endpoints, the page at /docs, and where `/` leads.

import { Validator } from '@seriousme/openapi-schema-validator';
import type { FastifyInstance } from 'fastify';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { type Serving, serveInProcess } from '../../src/app/serve-worker.ts';
import { serveProject } from '../support/open-serving.ts';
import { openForAll } from '../support/open-for.ts';
import { CONFIG, createProject } from '../support/serving-project.ts';
import { TYPED_REPOSITORY } from '../support/typed-shop.ts';

let serving: Serving;
let server: FastifyInstance;
const open = openForAll({ repository: TYPED_REPOSITORY, features: 3 }, async ({ app }) => {
  // With the page, beside the one without it.
  serving = await serveInProcess(app, { host: '127.0.0.1', port: 0, compacts: false });
  server = serving.server;
});
afterAll(() => serving.stop());

describe('lists', () => {
  it('services with what they ask for and answer, and whether they are answered as applied', async () => {
    const { services } = (await server.inject('/v1/services')).json();
    expect(services.map(({ name }: { name: string }) => name)).toEqual(['numbers', 'shop_features']);
    expect(services[0]).toMatchObject({
      state: expect.stringMatching(/^(?:unfilled|current)$/),
      revision: 1,
      request: expect.arrayContaining([
        { name: 'customer', type: 'string', required: true, description: 'Key of customer' },
        { name: 'hints', type: 'list(int64)', required: true, description: 'Input of basket' },
      ]),
      features: [
        { name: 'history__purchases_1d', type: 'int64' },
        { name: 'history__mean_7d', type: 'float64' },
        { name: 'basket__ratio', type: 'float64' },
      ],
    });
    expect((await server.inject('/v1/services/numbers')).json()).toEqual(services[0]);
  });

  it('views with entity, source, versions and what people wrote of them', async () => {
    const { views } = (await server.inject('/v1/views')).json();
    expect(views).toMatchObject([
      {
        name: 'history',
        description: 'Purchases of a customer',
        owner: 'shop team',
        tags: { tier: 'gold' },
        entity: 'customer',
        keys: [{ name: 'customer', type: 'string' }],
        source: 'purchases',
        features: expect.arrayContaining([{ name: 'mean_7d', type: 'float64', aggregation: 'mean' }]),
        versions: [{ version: expect.stringMatching(/^history@[0-9a-f]{12}$/), current: true }],
      },
    ]);
    expect((await server.inject('/v1/views/history')).json()).toEqual(views[0]);
  });

  it('endpoints with what this server serves of them', async () => {
    const { endpoints } = (await server.inject('/v1/endpoints')).json();
    expect(endpoints).toMatchObject([{ name: 'checkout', state: 'serving', served: [1], reason: null }]);
  });

  const tagged = ['/v1/services', '/v1/views', '/v1/services/numbers', '/v1/views/history', '/docs', '/docs/page.js'];
  it.each(tagged)('%s is not sent again to who has it', async (url) => {
    const first = await server.inject(url);
    const again = await server.inject({ url, headers: { 'if-none-match': String(first.headers['etag']) } });
    expect([first.statusCode, again.statusCode, again.body]).toEqual([200, 304, '']);
  });

  it.each([
    ['/v1/services/nubers', 'HR_UNKNOWN_SERVICE', 'Did you mean "numbers"?'],
    ['/v1/views/histroy', 'HR_UNKNOWN_VIEW', 'Did you mean "history"?'],
    ['/v1/views/constructor', 'HR_UNKNOWN_VIEW', 'no view "constructor"'],
    ['/v1/service', 'HR_UNKNOWN_ROUTE', 'Did you mean "/v1/services"?'],
    ['/v1/view', 'HR_UNKNOWN_ROUTE', 'Did you mean "/v1/views"?'],
    ['/v1/endpoints/checkout/predic', 'HR_UNKNOWN_ROUTE', 'Did you mean "/v1/endpoints/checkout/predict"?'],
  ])('%s is no such thing, and the nearest is named', async (url, code, says) => {
    const response = await server.inject(url);
    expect(response.json()).toMatchObject({ status: 404, code, detail: expect.stringContaining(says) });
  });
});

describe('/', () => {
  it('leads a browser to the page, and gives a program links that work', async () => {
    const browser = await server.inject({ url: '/', headers: { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } });
    expect([browser.statusCode, browser.headers['location']]).toEqual([302, '/docs']);
    const { name, version, project, links } = (await server.inject('/')).json();
    expect({ name, project }).toEqual({ name: 'headrace', project: 'shop' });
    expect(version).toMatch(/^\d+\.\d+\.\d+/);
    for (const link of Object.values<string>(links)) expect((await server.inject(link)).statusCode, link).toBe(200);
  });

  it('gives the links to everyone where there is no page', async () => {
    const response = await open.get('/', { accept: 'text/html' });
    expect(response.statusCode).toBe(200);
    expect(response.json()['links']).not.toHaveProperty('docs');
    expect((await open.get('/docs')).statusCode).toBe(404);
  });
});

describe('the page', () => {
  it('shows the columns, features and outputs of what is there', async () => {
    const { body, headers } = await server.inject('/docs');
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    for (const text of ['/v1/endpoints/checkout/predict', 'hints', 'list(int64)', 'probability', 'history__mean_7d'])
      expect(body).toContain(text);
    expect(body).toContain('What people &lt;b&gt;bought&lt;/b&gt;');
    expect(body).not.toMatch(/scalar|swagger|powered by|openapi client/i);
  });

  it('loads nothing from elsewhere, and its policy forbids it', async () => {
    const page = await server.inject('/docs');
    expect(String(page.headers['content-security-policy'])).toContain("default-src 'none'");
    const loaded = [...page.body.matchAll(/(?:src|href|action)="([^"#]+)"/g)].map(([, url]) => String(url));
    expect(loaded).toEqual(expect.arrayContaining(['/docs/page.css', '/docs/page.js']));
    for (const url of loaded.filter((one) => one !== 'data:,'))
      expect((await server.inject(url)).statusCode, url).toBe(200);
    for (const url of ['/docs', '/docs/page.css', '/docs/page.js'])
      expect((await server.inject(url)).body).not.toMatch(/https?:\/\//);
  });
});

it('says so where nothing is applied', async () => {
  const project = createProject({ 'headrace.config.ts': CONFIG });
  const empty = await serveProject(project, { hasDocs: true });
  onTestFinished(() => empty.close());
  const get = (url: string) => empty.serving.server.inject(url);
  expect((await get('/docs')).body).toContain('Nothing is applied yet');
  const document = (await get('/openapi.json')).json();
  expect(document).toMatchObject({ info: { title: 'Headrace' } });
  expect(await new Validator().validate(document)).toEqual({ valid: true });
  expect((await get('/')).json()).toMatchObject({ project: null });
  expect((await get('/v1/views')).json()).toMatchObject({ status: 409, code: 'HR_NOTHING_APPLIED' });
});
