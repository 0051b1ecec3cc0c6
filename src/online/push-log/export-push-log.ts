// The log's events as a JSON-lines file, which DuckDB reads as a relation: the source's declared columns by name, then
// `__hr_known` (microseconds) and `__hr_order`.

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { stringifyJson, toJson } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import { readPushLog } from './segment-files.ts';

/** Writes every event of the source to `file`; gives how many. Bytes are base64, timestamps RFC 3339. */
export async function exportPushLog(directory: string, source: SourceSpec, file: string): Promise<number> {
  const out = createWriteStream(file);
  let rows = 0;
  for await (const { row, knownMicros, order } of readPushLog(directory, source)) {
    const line: Record<string, unknown> = {};
    for (const { name, type } of source.columns) line[name] = toJson(type, row[name] ?? null);
    line['__hr_known'] = knownMicros;
    line['__hr_order'] = order;
    rows++;
    if (!out.write(`${stringifyJson(line)}\n`)) await once(out, 'drain');
  }
  out.end();
  await finished(out);
  return rows;
}
