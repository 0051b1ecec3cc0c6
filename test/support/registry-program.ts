// Where a real schema registry is for the tests: Apicurio, which speaks Confluent's protocol, unpacked in one folder that is
// kept between runs.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { hasJava, LEAST_JAVA } from './kafka-program.ts';

// The last that Java 17 runs.
const VERSION = '2.6.13.Final';
const PACKAGE = `io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`;
const UNPACK = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:unpack';

export interface RegistryProgram {
  readonly jar: string;
}

/** Undefined where it was not brought, or there is no Java that runs it. */
export function findRegistry(): RegistryProgram | undefined {
  const jar = join(folder(), `apicurio-registry-app-${VERSION}-runner.jar`);
  return existsSync(jar) && hasJava() ? { jar } : undefined;
}

/** What a suite says that runs without one. */
export const WITHOUT_REGISTRY = `there is no Apicurio Registry ${VERSION} here: npm run test:heavy brings it where there are Java ${LEAST_JAVA} and Maven`;

/** Brings it by Maven, whole or not at all; a sentence that says why not. */
export function bringRegistry(limitMs: number): string | undefined {
  if (!hasJava()) return `it needs Java ${LEAST_JAVA}`;
  if (spawnSync('mvn', ['--version'], { stdio: 'ignore' }).status !== 0) return 'it is brought by Maven (mvn)';
  const kept = folder();
  mkdirSync(dirname(kept), { recursive: true });
  const scratch = mkdtempSync(`${kept}-`);
  try {
    const words = ['-q', '-B', UNPACK, `-Dartifact=${PACKAGE}`, `-DoutputDirectory=${join(scratch, 'out')}`];
    const run = spawnSync('mvn', words, { cwd: scratch, stdio: 'ignore', timeout: limitMs });
    if (run.status !== 0)
      return run.signal === null ? 'Maven could not get it' : `Maven took longer than ${limitMs / 1000} s`;
    if (!existsSync(kept)) renameSync(join(scratch, 'out'), kept);
    return undefined;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function folder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'headrace', `apicurio-${VERSION}`);
}
