// A server of the tests' own that answers what decoders ask of a schema registry, as Confluent documents it, and counts what
// it is asked. It is no real one: registry-server.ts is.

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type SchemaRegistryServer = Awaited<ReturnType<typeof startSchemaRegistry>>;

export async function startSchemaRegistry(login?: { user: string; password: string }) {
  const schemas: { subject: string; version: number; body: object }[] = [];
  const expected =
    login === undefined ? undefined : `Basic ${Buffer.from(`${login.user}:${login.password}`).toString('base64')}`;
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' });
      response.end(JSON.stringify(body));
    };
    if (expected !== undefined && request.headers.authorization !== expected) {
      answer(401, { error_code: 401, message: 'Unauthorized' });
      return;
    }
    const [, id] = /^\/schemas\/ids\/(\d+)$/.exec(request.url ?? '') ?? [];
    const [, subject, version] = /^\/subjects\/([^/]+)\/versions\/(\d+)$/.exec(request.url ?? '') ?? [];
    const found =
      id === undefined
        ? schemas.find((one) => one.subject === subject && one.version === Number(version))
        : schemas[Number(id) - 1];
    if (found === undefined) answer(404, { error_code: 40_403, message: 'Schema not found' });
    else answer(200, found.body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Gives the schema's number. */
    add(subject: string, schema: string, references: readonly object[] = []): number {
      const version = schemas.filter((one) => one.subject === subject).length + 1;
      schemas.push({ subject, version, body: { schema, references } });
      return schemas.length;
    },
    /** How many requests came. */
    requests: () => requests,
    stop: () =>
      new Promise<void>((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
