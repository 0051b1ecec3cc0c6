// Logs as they are followed while tasks print: in pieces that no look may cut within a character.

import { appendFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { fixedClock } from '../../src/core/index.ts';
import { followLogs } from '../../src/orchestrator/follow-logs.ts';
import { openRunStore } from '../../src/orchestrator/rows/open-run-store.ts';
import { taskDirectory } from '../../src/orchestrator/run-logs.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { batchOf, claimed, newRun, taskOf } from '../support/run-rows.ts';

it('come whole, whatever a look finds of them', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'headrace-followed-'));
  const database = await openDatabase(`sqlite:${folder}/runs.db`);
  onTestFinished(async () => {
    await database.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const store = await openRunStore(database, fixedClock(5));
  await store.create(newRun('r', { state: 'running' }));
  const { epoch } = await store.take('r', 'elsewhere/1/aa');
  await store.flush('r', epoch, 1, claimed(1));
  const path = join(taskDirectory(folder, { runId: 'r', step: 'fan', index: 0, attempt: 1 }), 'log.txt');
  mkdirSync(dirname(path), { recursive: true });
  // The last byte of a piece of 256 KiB is the first of a character, and so is the last that was printed so far.
  const said = Buffer.from(`${'a'.repeat(256 * 1024 - 1)}é and then: ü`);
  appendFileSync(path, said.subarray(0, -1));
  const pieces: string[] = [];
  const objects = openObjectStore(`file:${folder}/artifacts`);
  const deps = { database, objects, clock: fixedClock(5), workDirectory: folder };
  for await (const { text } of followLogs(deps, 'r')) {
    pieces.push(text);
    if (!text.endsWith('then: ')) continue;
    appendFileSync(path, said.subarray(-1));
    const end = { at: 3, kind: 'succeeded', step: 'fan', scope: '', index: 0, count: 1, attempt: 1 };
    const run = { state: 'succeeded', error: null, endedAt: 4 } as const;
    await store.flush('r', epoch, 2, batchOf({ run, tasks: [taskOf(0)], events: [end] }));
  }
  expect(pieces.join('')).toBe(said.toString());
});
