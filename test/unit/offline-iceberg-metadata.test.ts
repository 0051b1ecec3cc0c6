// What is no metadata of an Iceberg table is refused by its path, instead of read as a table without rows.

import { it } from 'vitest';
import { parseMetadata } from '../../src/offline/sources/iceberg/table-metadata.ts';
import { refused } from '../support/refused.ts';

it.each([
  ['cut short', '{"format-version": 2, "sch'],
  ['another file', '{"name": "no table"}'],
  ['a schema without columns', '{"schemas": [{"schema-id": 0, "fields": []}], "current-schema-id": 0}'],
])('metadata that is %s is refused', async (_, text) => {
  const read = async () => parseMetadata(Buffer.from(text), 'v1.metadata.json', 'source "events"');
  await refused(
    read(),
    'HR_SOURCE_UNREADABLE',
    /^source "events": v1\.metadata\.json is no metadata of an Iceberg table/,
  );
});
