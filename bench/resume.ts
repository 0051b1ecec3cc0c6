// A driver of another container is killed: how long after its lease has run out a resume that waits for it starts the first task.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openDatabase } from '../src/storage/index.ts';
import { removeProject, writeRepository } from '../test/support/pipeline-project.ts';
import { findPostgres, startPostgres } from '../test/support/postgres-server.ts';
import type { Figure, Section } from './report.ts';

const MOST_SECONDS = 1;
/** Longer than a lease. */
const PATIENCE_MS = 40_000;
const DRIVER = fileURLToPath(new URL('resume-driver.ts', import.meta.url));

const PIPELINE = `
import { appendFileSync } from 'node:fs';
import { pipeline, range, task } from 'headrace';
const p = pipeline('p');
p.step('each', task(async () => {
  appendFileSync('__PROJECT__/starts.txt', Date.now() + '\\n');
  await new Promise((resolve) => setTimeout(resolve, 100));
  return null;
}), { foreach: range(200) });
export default p;
`;

export async function resumeSection({ isQuick }: { readonly isQuick: boolean }): Promise<Section> {
  const rounds = isQuick ? 1 : 3;
  const figures: Figure[] = [];
  figures.push(await measure('SQLite', rounds, (directory) => `sqlite:${join(directory, 'registry.db')}`));
  if (findPostgres() !== undefined) {
    const postgres = await startPostgres();
    try {
      const urls: string[] = [];
      for (let round = 0; round < rounds; round++) urls.push(await postgres.newDatabase());
      figures.push(await measure('Postgres', rounds, () => urls.pop() ?? ''));
    } finally {
      await postgres.stop();
    }
  }
  return {
    title: 'Resumed after a kill',
    about: `A run of 200 tasks is driven from a process namespace of its own, as in another container, and killed with it by SIGKILL in the midst. A resume waits here meanwhile, looks at the run four times a second, and cannot know of the death but by the lease, which lasts 15 s by the database’s clock. Measured from the lease’s end to the first task’s first line; the worst of ${rounds}. The launcher is started while the resume waits.`,
    figures,
  };
}

async function measure(name: string, rounds: number, urlOf: (directory: string) => string): Promise<Figure> {
  const taken: number[] = [];
  for (let round = 0; round < rounds; round++) taken.push(await resumedAfter(urlOf));
  const worst = Math.max(...taken);
  return {
    name: `${name}: the first task after the lease’s end`,
    value: `${worst.toFixed(2)} s at worst`,
    mustBe: `≤ ${MOST_SECONDS} s`,
    isReached: worst <= MOST_SECONDS,
  };
}

/** Seconds. */
async function resumedAfter(urlOf: (directory: string) => string): Promise<number> {
  const directory = writeRepository({ 'p.ts': PIPELINE });
  const url = urlOf(directory);
  const starts = (): readonly number[] => {
    const path = join(directory, 'starts.txt');
    return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').map(Number) : [];
  };
  const elsewhere = start('unshare', [
    '--pid',
    '--fork',
    '--kill-child',
    '--mount-proc',
    process.execPath,
    ...driver(directory, url),
  ]);
  let waiting: ChildProcess | undefined;
  try {
    const run = await firstLine(elsewhere);
    await until(() => starts().length >= 10, 'ten tasks have begun');
    waiting = start(process.execPath, [...driver(directory, url), run]);
    await firstLine(waiting);
    elsewhere.kill('SIGKILL');
    await once(elsewhere, 'exit');
    const killedMs = Date.now();
    const leaseMs = await leaseEnd(url, run);
    if (leaseMs <= killedMs) throw new Error('the lease ran out before the kill');
    const firstAfter = (): number | undefined => starts().find((ms) => ms > killedMs + 100);
    await until(() => firstAfter() !== undefined, 'the run goes on');
    return ((firstAfter() ?? NaN) - leaseMs) / 1000;
  } finally {
    for (const child of [elsewhere, waiting]) {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    removeProject(directory);
  }
}

function driver(directory: string, url: string): readonly string[] {
  return ['--conditions=headrace-source', DRIVER, directory, url];
}

function start(command: string, args: readonly string[]): ChildProcess {
  return spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [chunk] = (await Promise.race([
    once(child.stdout ?? child, 'data'),
    once(child, 'exit').then(() => {
      throw new Error(`${child.spawnfile} ended with ${child.exitCode} before it said anything`);
    }),
  ])) as [Buffer];
  return chunk.toString().split('\n')[0] ?? '';
}

/** Milliseconds since 1970, by the database’s clock, which is this machine’s. */
async function leaseEnd(url: string, run: string): Promise<number> {
  const database = await openDatabase(url);
  try {
    const { rows } = await database
      .tables<{ pipeline_runs: { id: string; lease_until: number } }>()
      .selectFrom('pipeline_runs')
      .select('lease_until')
      .where('id', '=', run)
      .execute()
      .then((rows) => ({ rows }));
    return Number(rows[0]?.lease_until) / 1000;
  } finally {
    await database.close();
  }
}

async function until(isDone: () => boolean, what: string): Promise<void> {
  for (const endMs = Date.now() + PATIENCE_MS; !isDone(); await delay(5))
    if (Date.now() > endMs) throw new Error(`it never was so that ${what}`);
}
