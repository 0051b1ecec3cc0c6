// A Parquet file as an Arrow stream: a process of its own turns it, as fast as its reader reads, and ends with its reader.

import { spawn } from 'node:child_process';
import { PassThrough, type Readable } from 'node:stream';
import { HeadraceError } from '../core/index.ts';
import { roleFile } from './role-file.ts';
import type { SettingValues } from './settings.ts';

/** What the process is told: its one argument, as JSON. */
export interface ArrowMainStart {
  readonly path: string;
  /** Names of columns that are features: their timestamps are of UTC. */
  readonly features: readonly string[];
  readonly spill: string;
  readonly memory: string;
}

export type OpenArrow = (path: string, features: readonly string[]) => Promise<Readable>;

/** Of one worker. */
const MOST_AT_ONCE = 2;
const MEMORY = '512MB';
const MOST_TOLD = 2000;

/** Resolves with the first bytes. Throws HR_OVERLOADED past two at once, HR_ARTIFACT_UNREADABLE for what can't be read. */
export function createArrowOpener(values: Pick<SettingValues, 'offline.path'>): OpenArrow {
  let running = 0;
  return async (path, features) => {
    if (running >= MOST_AT_ONCE)
      throw new HeadraceError(
        'HR_OVERLOADED',
        `${MOST_AT_ONCE} Arrow streams are being made, the most that a worker makes at once. Retry later, or take Parquet.`,
      );
    const start: ArrowMainStart = { path, features, spill: `${values['offline.path']}/spill`, memory: MEMORY };
    running++;
    const child = spawn(process.execPath, [...process.execArgv, roleFile('arrow-main'), JSON.stringify(start)], {
      // It ends when its input does: with this process, however that ends.
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const out = new PassThrough({ highWaterMark: 1024 * 1024 });
    let told = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (told = (told + text).slice(-MOST_TOLD)));
    child.stdin.on('error', () => {});
    const first = Promise.withResolvers<void>();
    child.stdout.once('readable', () => {
      if (child.stdout.readableLength > 0) first.resolve();
    });
    child.stdout.on('error', (error) => out.destroy(error)).pipe(out, { end: false });
    let hasEnded = false;
    const end = (code: number | null): void => {
      if (hasEnded) return;
      hasEnded = true;
      running--;
      if (code === 0) out.end();
      const error = new HeadraceError(
        'HR_ARTIFACT_UNREADABLE',
        `the training set cannot be read: ${told.trim() || 'its reader was killed'}`,
      );
      if (code !== 0) out.destroy(error);
      first.reject(error);
    };
    first.promise.catch(() => {});
    child.once('error', () => end(null));
    // All that it wrote was read by then.
    child.once('close', (code) => end(code));
    out.once('close', () => child.kill('SIGKILL'));
    out.on('error', () => {});
    await first.promise;
    return out;
  };
}
