// Where a real S3 server whose If-None-Match holds against racers is for the tests: versitygw, built once and kept between runs.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const VERSION = '1.8.0';
const MODULE = `github.com/versity/versitygw/cmd/versitygw@v${VERSION}`;

/** Its path; undefined where it is neither installed nor was brought. */
export function findVersitygw(): string | undefined {
  const installed = [...(process.env['PATH'] ?? '').split(delimiter), join(homedir(), 'go', 'bin')];
  return [folder(), ...installed].map((path) => join(path, 'versitygw')).find((path) => existsSync(path));
}

/** What a suite says that runs without it. */
export const WITHOUT_VERSITYGW = `there is no versitygw ${VERSION} here: npm run test:full builds it where there is Go`;

/** Builds it by Go, whole or not at all; a sentence that says why not. */
export function bringVersitygw(limitMs: number): string | undefined {
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0) return 'it is built by Go (go)';
  const kept = folder();
  mkdirSync(dirname(kept), { recursive: true });
  const scratch = mkdtempSync(`${kept}-`);
  try {
    const env = { ...process.env, GOBIN: scratch };
    const run = spawnSync('go', ['install', MODULE], { stdio: 'ignore', timeout: limitMs, env });
    if (run.status !== 0)
      return run.signal === null ? 'Go could not build it' : `Go took longer than ${limitMs / 1000} s`;
    if (!existsSync(kept)) renameSync(scratch, kept);
    return undefined;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function folder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headrace', `versitygw-${VERSION}`);
}
