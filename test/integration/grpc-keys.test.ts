// gRPC on a server with keys, over TLS: who may call what, keys that end, what the audit log and the log tell.

import { credentials, type ServiceError } from '@grpc/grpc-js';
import { afterAll, expect, it } from 'vitest';
import { registerPlainModel } from '../../src/app/index.ts';
import { type Logger, type Role, ROLES } from '../../src/core/index.ts';
import { makeCertificate } from '../support/certificates.ts';
import { allOf, type CallOptions } from '../support/grpc-client.ts';
import { linearModel } from '../support/onnx-model.ts';
import { grpcForAll } from '../support/grpc-serving.ts';
import { createProject, REPOSITORY } from '../support/serving-project.ts';

const NATIVE = '/headrace.v1.ServingService';
const OIP = '/inference.GRPCInferenceService';
const BY = { actor: 'ann' };
const OK = 0;
const FORBIDDEN = 7;
const UNAUTHENTICATED = 16;

const logged: Record<string, unknown>[] = [];
const note = (level: string) => (fields: object, message: string) => void logged.push({ level, ...fields, message });
const logger: Logger = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') };

const { cert, key } = makeCertificate('grpc');
const files = createProject({ 'cert.pem': cert, 'key.pem': key });
const settings = {
  HEADRACE_SERVER_TLS_CERT: files.file('cert.pem'),
  HEADRACE_SERVER_TLS_KEY: files.file('key.pem'),
  HEADRACE_LOG_REQUESTS: 'all',
};
const repository = `${REPOSITORY}export const other = endpoint('other', { model: returns, unit: ['customer'] });\n`;
const channel = credentials.createSsl(Buffer.from(cert));
const grpc = grpcForAll({ repository, logger, settings }, () => {}, channel);
afterAll(() => files.remove());
const registry = () => grpc.open.app.registry();

const row = { columns: { customer: { string_value: 'ada' }, amount: { double_value: 1 } } };
const points = { int64_value: '1' };
const bought = { ...row.columns, points, bought_at: { timestamp_value: { seconds: 1_700_000_000 } } };
const outcomes = [{ prediction_id: 'p', value: { bool_value: true } }];
const inputs = [
  { name: 'customer', datatype: 'BYTES', shape: [1], contents: { bytes_contents: [Buffer.from('ada')] } },
  { name: 'amount', datatype: 'FP64', shape: [1], contents: { fp64_contents: [1] } },
];
const predicting = { endpoint: 'checkout', inputs: [row] };

/** Every method, with the role that it takes; null: any key. */
const METHODS: readonly [method: string, role: Role | null, message: object][] = [
  [`${NATIVE}/Predict`, 'predict', predicting],
  [`${NATIVE}/ReadFeatures`, 'read', { service: 'numbers', rows: [row] }],
  [`${NATIVE}/Push`, 'write', { source: 'purchases', rows: [{ columns: bought }] }],
  [`${NATIVE}/RecordOutcomes`, 'write', { endpoint: 'checkout', outcomes }],
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
/** The error of a call; undefined where it is answered. */
const failure = (method: string, message: object, headers: CallOptions['headers'] = {}) =>
  grpc.client.call(method, message, { headers }).then(
    () => undefined,
    (error: unknown) => error as ServiceError,
  );
const statusOf = async (...asked: Parameters<typeof failure>): Promise<number> => (await failure(...asked))?.code ?? OK;
const made = async (name: string, roles: readonly Role[], extra = {}): Promise<{ token: string; id: string }> => {
  const { token, key } = await (await registry()).keys.create(
    { name: name.replaceAll(/[^\w]/g, '-'), roles, ...extra },
    BY,
  );
  await grpc.open.serving.security.refresh();
  return { token, id: key.id };
};

it('is open on loopback until there is a key', async () => {
  for (const [method, , message] of METHODS) expect(await statusOf(method, message), method).toBe(OK);
});

it.each(METHODS)('%s takes the role %s, and no other will do', async (method, role, message) => {
  const own = await made(`own ${method}`, role === null ? ['write'] : [role]);
  expect(await statusOf(method, message)).toBe(UNAUTHENTICATED);
  expect(await statusOf(method, message, bearer('hr_nonsense'))).toBe(UNAUTHENTICATED);
  expect(await statusOf(method, message, bearer(own.token))).toBe(OK);
  expect(await statusOf(method, message, { 'x-api-key': own.token })).toBe(OK);
  if (role === null) return;
  const roles = ROLES.filter((one) => one !== role);
  const refused = await failure(method, message, bearer((await made(`others ${method}`, roles)).token));
  expect(refused?.code).toBe(FORBIDDEN);
  expect(refused?.details).toContain(`takes the role ${role}`);
});

it('keeps a key to its endpoints, whoever’s protocol it speaks', async () => {
  const headers = bearer((await made('narrow', ['predict', 'read'], { endpoints: ['other'] })).token);
  expect(await statusOf(`${NATIVE}/Predict`, predicting, headers)).toBe(FORBIDDEN);
  expect(await statusOf(`${OIP}/ModelInfer`, { model_name: 'checkout', inputs }, headers)).toBe(FORBIDDEN);
  expect(await statusOf(`${OIP}/ModelMetadata`, { name: 'checkout' }, headers)).toBe(FORBIDDEN);
  const { answer } = await grpc.client.call(`${OIP}/RepositoryIndex`, {}, { headers });
  expect(answer).toMatchObject({ models: [{ name: 'other' }] });
  // A version is of one model: of none, it tells nothing of others.
  const all = (await grpc.client.call(`${OIP}/ModelStatistics`, { version: '99' }, { headers })).answer;
  expect(all).toMatchObject({ model_stats: [{ name: 'other' }] });
  const stream = grpc.client.stream(`${OIP}/ModelStreamInfer`, { headers });
  stream.write({ model_name: 'checkout', inputs });
  expect((await allOf(stream)).status.code).toBe(FORBIDDEN);
});

it('answers health to anybody, and reflection to any key alone', async () => {
  const { answer } = await grpc.client.call('/grpc.health.v1.Health/Check', { service: '' });
  expect(answer).toEqual({ status: 'SERVING' });
  const ask = (headers: Record<string, string>) => {
    const stream = grpc.client.stream('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', { headers });
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
  const stream = grpc.client.stream(`${OIP}/ModelStreamInfer`, { headers: bearer(token) });
  stream.write({ model_name: 'checkout', inputs, id: 'one' });
  const ended = allOf(stream);
  await new Promise<void>((resolve) => stream.once('data', () => resolve()));
  await (await registry()).keys.revoke(id, BY);
  const { messages, status } = await ended;
  expect(messages).toMatchObject([{ infer_response: { id: 'one' } }]);
  expect(status.code).toBe(UNAUTHENTICATED);
});

it('writes refused changes into the audit log, with what was to be changed and why', async () => {
  const { token, id } = await made('weak', ['read']);
  const headers = { ...bearer(token), 'x-reason': 'a try' };
  expect(await statusOf(`${OIP}/RepositoryModelUnload`, { model_name: 'checkout' }, headers)).toBe(FORBIDDEN);
  await grpc.open.serving.security.refused.settled();
  const [entry] = await (await registry()).auditLog.list({ object: 'model/checkout', limit: 1 });
  const told = { actor: `key hr_${id}`, action: 'model.unload', reason: 'a try' };
  expect(entry).toMatchObject({ ...told, after: { refused: 'HR_FORBIDDEN' } });
});

it('writes who had a model unloaded, and why, into the audit log', async () => {
  await registerPlainModel(grpc.open.app, { model: 'adder', onnx: linearModel(3) });
  const { token, id } = await made('strong', ['admin']);
  const headers = { ...bearer(token), 'x-reason': 'it is stale' };
  for (const what of ['Load', 'Unload'])
    await grpc.client.call(`${OIP}/RepositoryModel${what}`, { model_name: 'adder' }, { headers });
  const [entry] = await (await registry()).auditLog.list({ object: 'model/adder', limit: 1 });
  expect(entry).toMatchObject({ actor: `key hr_${id}`, action: 'model.unload', reason: 'it is stale' });
});

it('logs each call once, with what finds it again, and no key', async () => {
  logged.length = 0;
  const { token, id } = await made('logged', ['predict']);
  const traceparent = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
  const headersOf = (requestId: string) => ({ ...bearer(token), 'x-request-id': requestId, traceparent });
  const { metadata } = await grpc.client.call(`${NATIVE}/Predict`, predicting, { headers: headersOf('mine-1') });
  await failure(`${NATIVE}/Predict`, { endpoint: 'none', inputs: [row] }, headersOf('mine-2'));
  // A key that was pasted where a name belongs, and a name that would fill the log.
  for (const endpoint of [token, 'n'.repeat(100_000)])
    await failure(`${NATIVE}/Predict`, { endpoint, inputs: [row] }, headersOf('mine-3'));
  expect(String(metadata.get('traceparent')[0])).toMatch(/^00-(ab){16}-[0-9a-f]{16}-01$/);
  const mine = (name: string) => expect.poll(() => logged.filter(({ requestId }) => requestId === name));
  const of = { route: `${NATIVE}/Predict`, endpoint: 'checkout', actor: `key hr_${id}`, traceId: 'ab'.repeat(16) };
  await mine('mine-1').toMatchObject([{ level: 'info', ...of, grpcStatus: 'OK' }]);
  await mine('mine-2').toMatchObject([{ level: 'info', grpcStatus: 'NOT_FOUND', code: 'HR_UNKNOWN_ENDPOINT' }]);
  await mine('mine-3').toMatchObject([{ endpoint: `hr_${id}` }, { endpoint: 'n'.repeat(200) }]);
  expect(JSON.stringify(logged)).not.toContain(token);
});

it('has the call’s deadline, and what is told of it is no header of HTTP', async () => {
  const { token } = await made('deadline', ['predict']);
  const error = await failure(`${NATIVE}/Predict`, predicting, { ...bearer(token), 'grpc-timeout': '1n' });
  expect([error?.code, error?.details]).toEqual([4, expect.stringContaining('Raise the deadline of the call')]);
});
