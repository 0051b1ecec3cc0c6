// Who writes the prediction log and who makes Parquet of it: writers that can’t be told by their process, and the thread that
// compacts.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Logger, silentLogger } from '../../src/core/index.ts';
import { useLogFolder } from '../support/log-folder.ts';
import { appendRecord } from '../support/prediction-records.ts';
import { skipBecause } from '../support/skips.ts';

const { path: folder, open, compact, ids, files, ageLeases } = useLogFolder();
const supportFile = (name: string): string => fileURLToPath(new URL(`../support/${name}`, import.meta.url));

describe('a writer', () => {
  it('that lives in another process namespace keeps its segment', async ({ skip }) => {
    if (spawnSync('unshare', ['-pf', '--mount-proc', 'true']).status !== 0) {
      skipBecause('a prediction log over process namespaces: this user may not make one');
      skip();
    }
    const log = open();
    appendRecord(log, 'a');
    await log.flush();
    // To the other one no process of this one is there; and the lease may have run out for all that it knows.
    ageLeases();
    const run = [process.execPath, '--conditions=headrace-source', supportFile('compact-once.ts')];
    const words = ['-pf', '--mount-proc', ...run, folder(), join(folder(), 'other')];
    const other = spawnSync('unshare', words, { encoding: 'utf8' });
    expect(other.stderr).toBe('');
    expect(JSON.parse(other.stdout)).toEqual({ pid: 1, segments: 0, rows: 0, files: 0, damaged: 0, deleted: 0 });
    appendRecord(log, 'b');
    await log.flush();
    expect(await ids()).toEqual(['a', 'b']);
  });

  it('whose lock can’t be seen is alive for as long as it renews its lease', async () => {
    const log = open();
    appendRecord(log, 'a');
    await log.flush();
    // As on a file system without locks.
    const [lock = ''] = files('lock');
    rmSync(join(folder(), lock));
    expect(await compact()).toMatchObject({ segments: 0 });
    ageLeases();
    expect(await compact()).toMatchObject({ segments: 1, rows: 1 });
    // It finds out, and does not say that what it wrote there is kept.
    appendRecord(log, 'b');
    await expect(log.flush()).rejects.toThrow('taken');
    expect(log.counters()).toMatchObject({ written: 1, dropped: { disk: 1 } });
    appendRecord(log, 'c');
    await log.flush();
    expect(await ids()).toEqual(['a', 'c']);
  });

  it('that is stopped keeps its segment by its lock, however old its lease is', async () => {
    const child = spawn(process.execPath, ['--conditions=headrace-source', supportFile('log-forever.ts'), folder()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(createInterface({ input: child.stdout }), 'line');
    child.kill('SIGSTOP');
    ageLeases();
    try {
      expect(await compact()).toMatchObject({ segments: 0 });
    } finally {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    ageLeases();
    expect((await compact()).rows).toBeGreaterThan(0);
  });
});

describe('the thread that compacts', () => {
  it('makes Parquet of ended segments beside a log that goes on, and stops with it', async () => {
    const told: object[] = [];
    const tell = (fields: object) => void told.push(fields);
    const logger: Logger = { ...silentLogger, info: tell, error: tell };
    const ended = open();
    appendRecord(ended, 'a');
    await ended.close();
    const log = open({ logger, compaction: { everyMs: 50 } });
    while (files('.parquet').length === 0 || told.length === 0) await delay(50);
    expect(told[0]).toEqual({ segments: 1, rows: 1, files: 1, damaged: 0, deleted: 0 });
    appendRecord(log, 'b');
    await log.close();
    expect(await ids()).toEqual(['a', 'b']);
  });

  it('ends in the middle of its work when the log closes, and loses nothing', async () => {
    const told: object[] = [];
    const logger: Logger = { ...silentLogger, error: (fields) => told.push(fields) };
    const ended = open({ segmentBytes: 1 });
    for (let i = 0; i < 300; i++) {
      appendRecord(ended, `p${i}`);
      await ended.flush();
    }
    await ended.close();
    const log = open({ logger, compaction: { everyMs: 50 } });
    while (files('.parquet').length === 0) await delay(5);
    await log.close();
    expect(files('.records').length).toBeGreaterThan(0);
    expect(told).toEqual([]);
    expect(await ids()).toHaveLength(300);
  });
});
