// A log's folder beside what the registry says of it, when its process is gone.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import type { WriterRow } from '../../src/events/event-log.ts';
import { segmentPath } from '../../src/events/segments/local-segments.ts';
import { recoverLog } from '../../src/events/segments/recover-log.ts';
import type { LastShipped, ShippedTable } from '../../src/events/tables/shipped-table.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(`${tmpdir()}/headrace-recover-`)));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ROW: WriterRow = {
  number: 1,
  token: 't',
  machine: 'm',
  holder: 1,
  state: 'open',
  cut: 4,
  shipped: 4,
  removed: 0,
  registeredMicros: 0,
  seenMicros: 0,
};
const END = { cut: 4, sealed: 4, offset: 9 };

/** Of a log whose segments up to `seq` were shipped. */
function recover(seq: number, row: Partial<WriterRow> = {}) {
  const last: LastShipped = { seq, bytes: 77, span: undefined, end: END } as unknown as LastShipped;
  const shipped = { last: async () => last, cuts: async () => [] } as unknown as ShippedTable;
  return recoverLog(folder, { ...ROW, ...row }, { shipped, logger: silentLogger });
}

const leave = (...seqs: readonly number[]): void => {
  for (const seq of seqs) writeFileSync(segmentPath(folder, seq), 'not looked at');
};

it('removes what was shipped, the last segment too, and goes on after it', async () => {
  leave(1, 2, 3);
  expect(await recover(3)).toMatchObject({ local: [], last: { seq: 3, bytes: 77 }, positions: END });
  expect(readdirSync(folder)).toEqual([]);
});

it('is damaged where the segment after the last that was shipped is missing', async () => {
  leave(3, 5);
  const message = expect.stringMatching(/0000000004\.log, byte 0: the file is missing/);
  await expect(recover(3)).rejects.toMatchObject({ code: 'HR_LOG_DAMAGED', message });
});

it('is damaged where it ends before a cut that the registry knows of, and not where it ends in it', async () => {
  expect(await recover(3)).toMatchObject({ positions: { cut: 4 } });
  await expect(recover(3, { cut: 5 })).rejects.toMatchObject({
    code: 'HR_LOG_DAMAGED',
    message: expect.stringContaining('it ends in cut 4, the registry knows of cut 5'),
  });
});
