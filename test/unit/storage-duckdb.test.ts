import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { collectSpill } from '../../src/storage/duckdb/collect-spill.ts';
import { makeSpillFolder } from '../../src/storage/duckdb/spill-folder.ts';
import { openDuckDb } from '../../src/storage/index.ts';
import { fullIt } from '../support/tier.ts';

const folder = mkdtempSync(join(tmpdir(), 'headrace-duckdb-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('opens DuckDB in UTC, in the order of rows, inside its memory, spilling where it was told', async () => {
  const tempDirectory = join(folder, 'made', 'spill');
  const duckdb = await openDuckDb({ memory: '512MiB', threads: 1, tempDirectory });
  const connection = await duckdb.connect();
  const settings = ['TimeZone', 'preserve_insertion_order', 'memory_limit', 'threads', 'temp_directory'];
  const asked = settings.map((name) => `current_setting('${name}')`);
  const [row = []] = (await connection.runAndReadAll(`SELECT ${asked.join(', ')}`)).getRowsJS();
  expect(row.slice(0, -1)).toEqual(['UTC', true, '512.0 MiB', 1n]);
  expect(dirname(String(row.at(-1)))).toBe(tempDirectory);
  connection.closeSync();
  await duckdb.close();
});

it('gives each connection its own temporary tables', async () => {
  const duckdb = await openDuckDb({ tempDirectory: folder });
  const [one, other] = [await duckdb.connect(), await duckdb.connect()];
  await one.run('CREATE TEMP TABLE mine AS SELECT 1');
  await expect(other.run('SELECT * FROM mine')).rejects.toThrow(/mine/);
  for (const connection of [one, other]) connection.closeSync();
  await duckdb.close();
});

it('reads a text that begins with a byte order mark as it is', async () => {
  const duckdb = await openDuckDb({ tempDirectory: folder });
  const connection = await duckdb.connect();
  const texts = ['\uFEFF', '\uFEFFshort', '\uFEFFone that is not held inline'];
  const read = await connection.runAndReadAll('SELECT unnest([' + texts.map((text) => `'${text}'`).join() + '])');
  expect(read.getColumnsJS()).toEqual([texts]);
  connection.closeSync();
  await duckdb.close();
});

/** Folders to spill to that are there. */
const spills = (parent: string): string[] => readdirSync(parent).filter((name) => /^duckdb-[^.]+$/.test(name));

it('leaves no folder to spill to when it is closed, of many that were opened at once either', async () => {
  const parent = join(folder, 'many');
  const opened = await Promise.all(Array.from({ length: 8 }, () => openDuckDb({ tempDirectory: parent, threads: 1 })));
  expect(spills(parent)).toHaveLength(8);
  await opened.pop()?.close();
  expect(spills(parent)).toHaveLength(7);
  await Promise.all(opened.map((duckdb) => duckdb.close()));
  expect(readdirSync(parent)).toEqual([]);
});

it('removes nothing that it did not make', async () => {
  const parent = join(folder, 'shared');
  mkdirSync(join(parent, 'of-a-user'), { recursive: true });
  writeFileSync(join(parent, 'duckdb-notes.txt'), 'x');
  await (await openDuckDb({ tempDirectory: parent })).close();
  expect(readdirSync(parent).sort()).toEqual(['duckdb-notes.txt', 'of-a-user']);
});

it('clears what a dead process spilled, and not what a living one does, unless it is to be left', async () => {
  const parent = join(folder, 'dead');
  const living = await openDuckDb({ tempDirectory: parent });
  // Its lock is nobody's.
  const dead = join(parent, 'duckdb-dead');
  mkdirSync(dead);
  await (await openDuckDb({ tempDirectory: parent, leaveDead: true })).close();
  expect(spills(parent)).toHaveLength(2);
  await (await openDuckDb({ tempDirectory: parent })).close();
  expect(spills(parent)).toHaveLength(1);
  expect(existsSync(dead)).toBe(false);
  await living.close();
});

it('collects what a dead process spilled, and leaves what a living one has', async () => {
  const parent = join(folder, 'collected');
  const living = await makeSpillFolder(parent);
  const dead = join(parent, 'duckdb-dead');
  mkdirSync(dead);
  writeFileSync(join(dead, 'rows.tmp'), 'abc');
  const collector = collectSpill(parent);
  const { items } = await collector.plan();
  expect(items).toMatchObject([{ id: dead, what: 'duckdb-dead', bytes: 3 }]);
  const [item] = items;
  const both = [item, { ...item, id: living.path }] as typeof items;
  expect(await collector.forget(undefined as never, both)).toEqual(items);
  for (const one of both) await collector.erase(one);
  expect([dead, `${dead}.lock`, living.path].map((path) => existsSync(path))).toEqual([false, false, true]);
  await living.remove();
  expect(await collectSpill(join(parent, 'nowhere')).plan()).toEqual({ items: [] });
});

it('says why where it cannot spill', async () => {
  const file = join(folder, 'a-file');
  writeFileSync(file, '');
  await expect(openDuckDb({ tempDirectory: file })).rejects.toThrow(/EEXIST|ENOTDIR/);
});

const SPILLER = fileURLToPath(new URL('../support/spill-sorts.ts', import.meta.url));

function startSpilling(parent: string, rounds: number) {
  const child = spawn(process.execPath, [SPILLER, parent, String(rounds)], { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += String(text)));
  child.stderr.on('data', (text: Buffer) => (said += String(text)));
  // Both come to an end, and `said` tells how.
  const spilling = Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
  return { child, spilling, ended: once(child, 'exit').then(([code, signal]) => ({ code, signal, said })) };
}

// twin: test/unit/storage-duckdb.test.ts > leaves no folder to spill to when it is closed, of many that were opened at once either
fullIt('lets processes that share a folder spill at once', async () => {
  const parent = join(folder, 'together');
  const both = [startSpilling(parent, 2), startSpilling(parent, 2)];
  const good = { code: 0, signal: null, said: 'spilling\ndone\n' };
  expect(await Promise.all(both.map(({ ended }) => ended))).toEqual([good, good]);
  expect(spills(parent)).toEqual([]);
});

// twin: test/unit/storage-duckdb.test.ts > clears what a dead process spilled, and not what a living one does, unless it is to be left
fullIt('clears what a killed process spilled, and not what a stopped one does', async () => {
  const parent = join(folder, 'killed');
  const [killed, stopped] = [startSpilling(parent, 0), startSpilling(parent, 3)];
  await Promise.all([killed.spilling, stopped.spilling]);
  const theirs = spills(parent);
  expect(theirs).toHaveLength(2);
  stopped.child.kill('SIGSTOP');
  killed.child.kill('SIGKILL');
  await killed.ended;
  const next = await openDuckDb({ tempDirectory: parent });
  expect(theirs.filter((name) => existsSync(join(parent, name)))).toHaveLength(1);
  stopped.child.kill('SIGCONT');
  expect(await stopped.ended).toEqual({ code: 0, signal: null, said: 'spilling\ndone\n' });
  await next.close();
  await (await openDuckDb({ tempDirectory: parent })).close();
  expect(readdirSync(parent)).toEqual([]);
});
