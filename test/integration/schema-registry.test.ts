// Messages that name their schema in a real registry (Apicurio, by Confluent's protocol), as Confluent's own client framed
// them; its bytes are kept here but for the number of the schema, which is the registry's to give.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Field } from '../../src/core/index.ts';
import type { SourceSpec } from '../../src/definitions/index.ts';
import { openDecoder, openSchemaRegistry } from '../../src/streams/index.ts';
import { findRegistry, WITHOUT_REGISTRY } from '../support/registry-program.ts';
import { type RegistryServer, startRegistry } from '../support/registry-server.ts';
import { skipBecause } from '../support/skips.ts';

const program = findRegistry();
if (program === undefined) skipBecause(`a real schema registry: ${WITHOUT_REGISTRY}`);

const TAGS = { type: 'record', name: 'Tags', namespace: 'shop', fields: [{ name: 's', type: 'string' }] };
const EVENT = {
  type: 'record',
  name: 'Event',
  namespace: 'shop',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'more', type: 'shop.Tags' },
  ],
};
const MONEY_PROTO = 'syntax = "proto3";\npackage shop;\nmessage Money { int64 cents = 1; }\n';
const EVENT_PROTO = `syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "money.proto";
message Other { message Inner { string s = 1; } }
message Event { int64 id = 1; google.protobuf.Timestamp at = 2; Money paid = 3; }
`;
/** The same two files as confluent-kafka 2.16.1 registers them: it has their descriptors alone. */
const MONEY_DESCRIPTOR = 'Cgttb25leS5wcm90bxIEc2hvcCIWCgVNb25leRINCgVjZW50cxgBIAEoA2IGcHJvdG8z';
const EVENT_DESCRIPTOR =
  'CgtldmVudC5wcm90bxIEc2hvcBofZ29vZ2xlL3Byb3RvYnVmL3RpbWVzdGFtcC5wcm90bxoLbW9uZXkucHJvdG8iGwoFT3RoZXIaEgoFSW5uZXISCQoBcxgBIAEoCSJWCgVFdmVudBIKCgJpZBgBIAEoAxImCgJhdBgCIAEoCzIaLmdvb2dsZS5wcm90b2J1Zi5UaW1lc3RhbXASGQoEcGFpZBgDIAEoCzILLnNob3AuTW9uZXliBnByb3RvMw==';
/** {id: 2^53 + 1, more: {s: 'm'}} by its AvroSerializer. */
const AVRO_BYTES = 'AAAAAAKCgICAgICAIAJt';
/** The second message of the file, and the first within the first, by its ProtobufSerializer. */
const EVENT_BYTES = 'AAAAAAQCAgiBgICAgICAEBIMCKXr3MoGEIDrpcMCGgIIBQ==';
const INNER_BYTES = 'AAAAAAQEAAAKAmlu';

const columns: readonly Field[] = [
  { name: 'id', type: { kind: 'int64' } },
  { name: 'at', type: { kind: 'timestamp' } },
  { name: 's', type: { kind: 'string' } },
];
const sourceOf = (format: string): SourceSpec => ({
  name: 'events',
  kind: 'kafka',
  location: { format, registry: 'env:R' },
  columns,
  derive: [],
  eventTime: 'at',
  knownTime: { kind: 'column', column: 'at' },
  pushes: 'keep',
});

describe.skipIf(program === undefined)('messages that name their schema in a real registry', () => {
  let registry: RegistryServer;
  beforeAll(async () => {
    if (program !== undefined) registry = await startRegistry(program);
  }, 90_000);
  afterAll(() => registry?.stop());

  const open = (format: string, url = registry.url) =>
    openDecoder(sourceOf(format), { directory: '.', registry: openSchemaRegistry(url, 'R') });
  const framed = (base64: string, id: number): Buffer => {
    const bytes = Buffer.from(base64, 'base64');
    bytes.writeUInt32BE(id, 1);
    return bytes;
  };

  it('are read in Avro, each by its own schema and what that refers to', async () => {
    await registry.add('tags', { schema: JSON.stringify(TAGS) });
    const first = await registry.add('events', {
      schema: JSON.stringify({ ...EVENT, fields: EVENT.fields.slice(0, 1) }),
    });
    const second = await registry.add('events', {
      schema: JSON.stringify(EVENT),
      references: [{ name: 'shop.Tags', subject: 'tags', version: 1 }],
    });
    expect(second).not.toBe(first);
    const decode = await open('avro');
    const id = 9_007_199_254_740_993n;
    expect(await decode(framed(AVRO_BYTES, second))).toEqual({ id, at: null, s: null });
    // The same number without what the second schema has after it.
    expect(await decode(framed(AVRO_BYTES, first).subarray(0, -2))).toEqual({ id, at: null, s: null });
  });

  it.each([
    ['text', MONEY_PROTO, EVENT_PROTO],
    ['descriptors', MONEY_DESCRIPTOR, EVENT_DESCRIPTOR],
  ])(
    'are read in Protobuf that was registered as %s, whichever message of the file it is',
    async (how, money, event) => {
      await registry.add(`${how}-money`, { schema: money, schemaType: 'PROTOBUF' });
      const id = await registry.add(`${how}-events`, {
        schema: event,
        schemaType: 'PROTOBUF',
        references: [{ name: 'money.proto', subject: `${how}-money`, version: 1 }],
      });
      const decode = await open('protobuf');
      expect(await decode(framed(EVENT_BYTES, id))).toEqual({
        id: 9_007_199_254_740_993n,
        at: '2026-01-02T03:04:05.678Z',
        s: null,
      });
      expect(await decode(framed(INNER_BYTES, id))).toEqual({ id: null, at: null, s: 'in' });
    },
  );

  it('are dead letters where the registry has no such schema, and wait where another answers', async () => {
    const decode = await open('avro');
    await expect(async () => decode(framed(AVRO_BYTES, 4_000_000))).rejects.toThrow(
      /^the schema registry has no schema 4000000/,
    );
    const elsewhere = await open('avro', registry.url.replace('/apis/ccompat/v7', '/apis'));
    await expect(async () => elsewhere(framed(AVRO_BYTES, 1))).rejects.toMatchObject({
      code: 'HR_STREAM_SCHEMA',
      message: expect.stringMatching(
        /answers 404 to GET \/schemas\/ids\/1, not as a schema registry does: check the path/,
      ),
    });
  });
});
