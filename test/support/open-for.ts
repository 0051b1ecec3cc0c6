// Servers that are opened for a test or for a file, and closed by themselves; what they log, and what is in their prediction log.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { type App, openApp } from '../../src/app/index.ts';
import { type Logger, silentLogger } from '../../src/core/index.ts';
import { predictionLogSql } from './log-relations.ts';
import { type OpenServing, openServing } from './open-serving.ts';
import type { Project } from './serving-project.ts';

type Given = Parameters<typeof openServing>[0];

/** A server for all tests of a file or group: opened and prepared before the first, closed after the last. */
export const openForAll = (given?: Given, prepare?: (open: OpenServing) => unknown): OpenServing =>
  openedForAll(() => openServing(given), prepare);

/** The same for what `make` gives. Not to be used before the tests' own hooks. */
export function openedForAll<Opened extends { close(): Promise<void> }>(
  make: () => Promise<Opened>,
  prepare: (opened: Opened) => unknown = () => {},
): Opened {
  let opened: Opened | undefined;
  beforeAll(async () => {
    opened = await make();
    await prepare(opened);
  }, 120_000);
  afterAll(() => opened?.close());
  return new Proxy({} as Opened, { get: (_, name) => opened?.[name as keyof Opened] });
}

/** A server for one test. */
export async function openForTest(given: Given): Promise<OpenServing> {
  const open = await openServing(given);
  onTestFinished(() => open.close());
  return open;
}

export type Line = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string };

/** What is logged, each with its level and message beside its fields; `of` gives those whose message has these words. */
export function recordLog() {
  const lines: Line[] = [];
  const at = (level: string) => (fields: object, msg: string) => void lines.push({ ...fields, level, msg });
  const logger: Logger = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { logger, lines, of: (words: string) => lines.filter(({ msg }) => msg.includes(words)) };
}

export const BY = { actor: 'ann' };

/** Rows of a query over `predictions`, those of the log, as JSON has them. */
export async function queryLog(app: App, sql: string): Promise<Record<string, unknown>[]> {
  const connection = await (await app.duckdb()).connect();
  try {
    const predictions = await predictionLogSql(connection, app.config.values['predictionLog.path']);
    const read = await connection.runAndReadAll(`WITH predictions AS (${predictions}) ${sql}`);
    return read.getRowObjectsJson() as Record<string, unknown>[];
  } finally {
    connection.closeSync();
  }
}

/** An app beside the server's, as a command opens it; closed once `work` is done. */
export async function withOperator<T>(
  { app: { environment } }: OpenServing,
  work: (app: App) => Promise<T>,
): Promise<T> {
  const app = await openApp({ environment, logger: silentLogger });
  try {
    return await work(app);
  } finally {
    await app.close();
  }
}

/** The file in a project's artifact store that holds these bytes. */
export function artifactOf(project: Project, bytes: Uint8Array): string {
  const found = readdirSync(project.file('.headrace/artifacts'), { recursive: true, withFileTypes: true });
  const paths = found.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const path = paths.find((one) => readFileSync(one).equals(bytes));
  if (path === undefined) throw new Error('the artifact store does not have it');
  return path;
}
