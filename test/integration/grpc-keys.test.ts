// gRPC on a server with keys, over TLS: who may call what, keys that end, what the audit log and the log tell.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerPlainModel } from '../../src/app/index.ts';
import { type Logger, type Role, ROLES } from '../../src/core/index.ts';
import type { Registry } from '../../src/registry/index.ts';
import { makeCertificate } from '../support/certificates.ts';
import { allOf, type GrpcClient, grpcClient } from '../support/grpc-client.ts';
import { linearModel } from '../support/onnx-model.ts';
import { type OpenServing, openServing } from '../support/open-serving.ts';
import { REPOSITORY } from '../support/serving-project.ts';

const NATIVE = '/headrace.v1.ServingService';
const OIP = '/inference.GRPCInferenceService';
const BY = { actor: 'ann' };
const OK = 0;
const FORBIDDEN = 7;
const UNAUTHENTICATED = 16;

const logged: Record<string, unknown>[] = [];
const note =
  (level: string) =>
  (fields: object, message: string): void =>
    void logged.push({ level, ...fields, message });
const logger: Logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };

const folder = mkdtempSync(join(tmpdir(), 'headrace-grpc-tls-'));
let open: OpenServing;
let registry: Registry;
let client: GrpcClient;
beforeAll(async () => {
  const { cert, key } = makeCertificate('grpc');
  const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  open = await openServing({
    repository: `${REPOSITORY}export const other = endpoint('other', { model: returns, unit: ['customer'] });\n`,
    features: 4,
    logger,
    settings: {
      HEADRACE_SERVER_TLS_CERT: certFile,
      HEADRACE_SERVER_TLS_KEY: keyFile,
      HEADRACE_LOG_REQUESTS: 'all',
    },
    serve: { grpcPort: 0 },
  });
  registry = await open.app.registry();
  client = grpcClient(open.serving.grpcAddress as string, credentials.createSsl(Buffer.from(cert)));
}, 60_000);
afterAll(async () => {
  client.close();
  await open.close();
  rmSync(folder, { recursive: true });
});

const row = { columns: { customer: { string_value: 'ada' }, amount: { double_value: 1 } } };
const bought = {
  ...row.columns,
  points: { int64_value: '1' },
  bought_at: { timestamp_value: { seconds: 1_700_000_000 } },
};
const inputs = [
  { name: 'customer', datatype: 'BYTES', shape: [1], contents: { bytes_contents: [Buffer.from('ada')] } },
  { name: 'amount', datatype: 'FP64', shape: [1], contents: { fp64_contents: [1] } },
];

/** Every method, with the role that it takes; null: any key. */
const METHODS: readonly [method: string, role: Role | null, message: object][] = [
  [`${NATIVE}/Predict`, 'predict', { endpoint: 'checkout', inputs: [row] }],
  [`${NATIVE}/ReadFeatures`, 'read', { service: 'numbers', rows: [row] }],
  [`${NATIVE}/Push`, 'write', { source: 'purchases', rows: [{ columns: bought }] }],
  [
    `${NATIVE}/RecordOutcomes`,
    'write',
    { endpoint: 'checkout', outcomes: [{ prediction_id: 'p', value: { bool_value: true } }] },
  ],
  [`${OIP}/ServerMetadata`, null, {}],
  [`${OIP}/ModelReady`, null, { name: 'checkout' }],
  [`${OIP}/ModelMetadata`, null, { name: 'checkout' }],
  [`${OIP}/ModelInfer`, 'predict', { model_name: 'checkout', inputs }],
  [`${OIP}/ModelConfig`, 'read', { name: 'checkout' }],
  [`${OIP}/ModelStatistics`, 'read', { name: 'checkout' }],
  [`${OIP}/RepositoryIndex`, 'read', {}],
  [`${OIP}/RepositoryModelLoad`, 'admin', { model_name: 'checkout' }],
];
const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` });
const statusOf = (call: Promise<unknown>): Promise<number> =>
  call.then(
    () => OK,
    (error: unknown) => (error as ServiceError).code,
  );
const made = async (name: string, roles: readonly Role[], extra = {}): Promise<{ token: string; id: string }> => {
  const { token, key } = await registry.keys.create({ name: name.replaceAll(/[^\w]/g, '-'), roles, ...extra }, BY);
  await open.serving.security.refresh();
  return { token, id: key.id };
};

it('is open on loopback until there is a key', async () => {
  for (const [method, , message] of METHODS) expect(await statusOf(client.call(method, message)), method).toBe(OK);
});

it.each(METHODS)('%s takes the role %s, and no other will do', async (method, role, message) => {
  const own = await made(`own ${method}`, role === null ? ['write'] : [role]);
  expect(await statusOf(client.call(method, message))).toBe(UNAUTHENTICATED);
  expect(await statusOf(client.call(method, message, { headers: bearer('hr_nonsense') }))).toBe(UNAUTHENTICATED);
  expect(await statusOf(client.call(method, message, { headers: bearer(own.token) }))).toBe(OK);
  expect(await statusOf(client.call(method, message, { headers: { 'x-api-key': own.token } }))).toBe(OK);
  if (role === null) return;
  const others = await made(
    `others ${method}`,
    ROLES.filter((one) => one !== role),
  );
  const refused = await client
    .call(method, message, { headers: bearer(others.token) })
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: FORBIDDEN,
    details: expect.stringContaining(`takes the role ${role}`) as string,
  });
});

it('keeps a key to its endpoints, whoever’s protocol it speaks', async () => {
  const { token } = await made('narrow', ['predict', 'read'], { endpoints: ['other'] });
  const headers = bearer(token);
  expect(await statusOf(client.call(`${NATIVE}/Predict`, { endpoint: 'checkout', inputs: [row] }, { headers }))).toBe(
    FORBIDDEN,
  );
  expect(await statusOf(client.call(`${OIP}/ModelInfer`, { model_name: 'checkout', inputs }, { headers }))).toBe(
    FORBIDDEN,
  );
  expect(await statusOf(client.call(`${OIP}/ModelMetadata`, { name: 'checkout' }, { headers }))).toBe(FORBIDDEN);
  const { answer } = await client.call(`${OIP}/RepositoryIndex`, {}, { headers });
  expect((answer as { models: { name: string }[] }).models.map(({ name }) => name)).toEqual(['other']);
  // A version is of one model: of none, it tells nothing of others.
  const all = (await client.call(`${OIP}/ModelStatistics`, { version: '99' }, { headers })).answer;
  expect((all as { model_stats: { name: string }[] }).model_stats.map(({ name }) => name)).toEqual(['other']);
  const stream = client.stream(`${OIP}/ModelStreamInfer`, { headers });
  stream.write({ model_name: 'checkout', inputs });
  expect((await allOf(stream)).status.code).toBe(FORBIDDEN);
});

it('answers health to anybody, and reflection to any key alone', async () => {
  const { answer } = await client.call('/grpc.health.v1.Health/Check', { service: '' });
  expect(answer).toEqual({ status: 'SERVING' });
  const ask = (headers: Record<string, string>) => {
    const stream = client.stream('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', { headers });
    stream.write({ list_services: '' });
    stream.end();
    return allOf(stream);
  };
  expect((await ask({})).status.code).toBe(UNAUTHENTICATED);
  const { token } = await made('any', ['write']);
  const told = await ask(bearer(token));
  expect(told.status.code).toBe(OK);
  expect(JSON.stringify(told.messages)).toContain('headrace.v1.ServingService');
});

it('ends a stream with its key', async () => {
  const { token, id } = await made('short', ['predict']);
  const stream = client.stream(`${OIP}/ModelStreamInfer`, { headers: bearer(token) });
  stream.write({ model_name: 'checkout', inputs, id: 'one' });
  const ended = allOf(stream);
  await new Promise<void>((resolve) => stream.once('data', () => resolve()));
  await registry.keys.revoke(id, BY);
  const { messages, status } = await ended;
  expect(messages).toMatchObject([{ infer_response: { id: 'one' } }]);
  expect(status.code).toBe(UNAUTHENTICATED);
});

it('writes refused changes into the audit log, with what was to be changed and why', async () => {
  const { token, id } = await made('weak', ['read']);
  const headers = { ...bearer(token), 'x-reason': 'a try' };
  expect(await statusOf(client.call(`${OIP}/RepositoryModelUnload`, { model_name: 'checkout' }, { headers }))).toBe(
    FORBIDDEN,
  );
  await open.serving.security.refused.settled();
  const [entry] = await registry.auditLog.list({ object: 'model/checkout', limit: 1 });
  expect(entry).toMatchObject({
    actor: `key hr_${id}`,
    action: 'model.unload',
    after: { refused: 'HR_FORBIDDEN' },
    reason: 'a try',
  });
});

it('writes who had a model unloaded, and why, into the audit log', async () => {
  await registerPlainModel(open.app, { model: 'adder', onnx: linearModel(3) });
  const { token, id } = await made('strong', ['admin']);
  const headers = { ...bearer(token), 'x-reason': 'it is stale' };
  await client.call(`${OIP}/RepositoryModelLoad`, { model_name: 'adder' }, { headers });
  await client.call(`${OIP}/RepositoryModelUnload`, { model_name: 'adder' }, { headers });
  const [entry] = await registry.auditLog.list({ object: 'model/adder', limit: 1 });
  expect(entry).toMatchObject({ actor: `key hr_${id}`, action: 'model.unload', reason: 'it is stale' });
});

it('logs each call once, with what finds it again, and no key', async () => {
  logged.length = 0;
  const { token, id } = await made('logged', ['predict']);
  const headers = {
    ...bearer(token),
    'x-request-id': 'mine-1',
    traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`,
  };
  const { metadata } = await client.call(`${NATIVE}/Predict`, { endpoint: 'checkout', inputs: [row] }, { headers });
  await statusOf(
    client.call(
      `${NATIVE}/Predict`,
      { endpoint: 'none', inputs: [row] },
      { headers: { ...headers, 'x-request-id': 'mine-2' } },
    ),
  );
  // A key that was pasted where a name belongs, and a name that would fill the log.
  for (const endpoint of [token, 'n'.repeat(100_000)])
    await statusOf(
      client.call(
        `${NATIVE}/Predict`,
        { endpoint, inputs: [row] },
        { headers: { ...headers, 'x-request-id': 'mine-3' } },
      ),
    );
  expect(String(metadata.get('traceparent')[0])).toMatch(/^00-(ab){16}-[0-9a-f]{16}-01$/);
  const mine = (name: string) => () => logged.filter(({ requestId }) => requestId === name);
  await expect.poll(mine('mine-1')).toMatchObject([
    {
      level: 'info',
      route: `${NATIVE}/Predict`,
      endpoint: 'checkout',
      actor: `key hr_${id}`,
      traceId: 'ab'.repeat(16),
      grpcStatus: 'OK',
    },
  ]);
  await expect
    .poll(mine('mine-2'))
    .toMatchObject([{ level: 'info', grpcStatus: 'NOT_FOUND', code: 'HR_UNKNOWN_ENDPOINT' }]);
  await expect.poll(mine('mine-3')).toMatchObject([{ endpoint: `hr_${id}` }, { endpoint: 'n'.repeat(200) }]);
  expect(JSON.stringify(logged)).not.toContain(token);
});

describe('a deadline', () => {
  it('is the call’s, and what is told of it is no header of HTTP', async () => {
    const { token } = await made('deadline', ['predict']);
    const error = await client
      .call(
        `${NATIVE}/Predict`,
        { endpoint: 'checkout', inputs: [row] },
        { headers: { ...bearer(token), 'grpc-timeout': '1n' } },
      )
      .catch((thrown: unknown) => thrown as ServiceError);
    expect(error).toMatchObject({
      code: 4,
      details: expect.stringContaining('Raise the deadline of the call') as string,
    });
  });
});
