// Backups on S3, with a pipeline's artifacts and predictions, and restores that are killed wherever they stand.

import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { silentLogger, systemClock } from '../../src/core/index.ts';
import { openEventLog } from '../../src/events/index.ts';
import { openDatabase, openObjectStore } from '../../src/storage/index.ts';
import { findS3Server, startS3Server } from '../support/s3-server.ts';
import {
  CONFIG,
  createProject,
  createServingProject,
  headrace,
  headraceJson,
  MAIN,
  type Project,
} from '../support/serving-project.ts';

const projects: Project[] = [];
afterEach(() => {
  for (const project of projects.splice(0)) project.remove();
});
const own = (project: Project): Project => {
  projects.push(project);
  return project;
};
const newPlace = (): Project => own(createProject({ 'headrace.config.ts': CONFIG }));
const s3 = findS3Server('backups');

it.skipIf(s3 === undefined)(
  'goes to S3 and comes back, with keys in neither',
  async () => {
    const server = await startS3Server(s3 as NonNullable<typeof s3>);
    try {
      const bucket = await server.newBucket();
      const env = {
        AWS_ACCESS_KEY_ID: server.accessKeyId,
        AWS_SECRET_ACCESS_KEY: server.secretAccessKey,
        AWS_ENDPOINT_URL_S3: server.endpoint,
        AWS_REGION: 'us-east-1',
      };
      const place = `s3://${bucket}/backups/one?pathStyle=true`;
      const project = own(createServingProject());
      const [token = ''] = headrace(project, ['keys', 'create', 'app', '--role', 'predict']).stdout.split('\n');
      expect(token).toMatch(/^hr_/);
      headraceJson(project, ['backup', place], env);
      const again = headrace(project, ['backup', place], env);
      expect(again.stderr).toContain('holds a backup already');
      const other = newPlace();
      headraceJson(other, ['restore', place], env);
      expect(headraceJson(other, ['keys', 'list'])).toEqual(headraceJson(project, ['keys', 'list']));
      headraceJson(project, ['backup', 'backup']);
      const texts = readdirSync(project.file('backup'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8'));
      const secret = token.split('_').at(-1) as string;
      expect(texts.filter((text) => text.includes(secret))).toEqual([]);
      expect(texts.some((text) => text.includes(server.secretAccessKey))).toBe(false);
    } finally {
      await server.stop();
    }
  },
  400_000,
);

it('changes nothing where a restore is killed, and the next one brings all back', async () => {
  const project = own(createServingProject());
  // Enough objects and rows that a kill meets each stage.
  mkdirSync(project.file('.headrace/artifacts/runs/20260101-000000-aaaaaa/logs'), { recursive: true });
  headraceJson(project, ['backup', 'backup']);
  const history = headraceJson(project, ['history']);
  const place = newPlace();
  const restore = ['restore', project.file('backup')];
  const started = performance.now();
  headraceJson(place, restore);
  const wholeMs = performance.now() - started;
  let killed = 0;
  for (let share = 0.3; share <= 1; share += 0.07) {
    rmSync(place.file('.headrace'), { recursive: true, force: true });
    const child = spawn(process.execPath, [MAIN, ...restore], {
      cwd: place.directory,
      env: { ...process.env, npm_lifecycle_event: '' },
      stdio: 'ignore',
    });
    const ended = new Promise<NodeJS.Signals | null>((resolve) =>
      child.once('exit', (_code, signal) => resolve(signal)),
    );
    await Promise.race([sleep(wholeMs * share), ended]);
    child.kill('SIGKILL');
    if ((await ended) === null) continue;
    killed++;
    const after = headraceJson(place, ['history']);
    const isDone = JSON.stringify(after) === JSON.stringify(history);
    if (!isDone) expect(after).toEqual({ revisions: [] });
    // One that was just about done may be written over only by force.
    headraceJson(place, isDone ? [...restore, '--force'] : restore);
    expect(headraceJson(place, ['history'])).toEqual(history);
  }
  expect(killed).toBeGreaterThan(2);
}, 400_000);

it('takes predictions along where it is asked to', () => {
  const project = own(createServingProject());
  const file = 'predictions/endpoint=checkout/schema=0123456789abcdef/date=2026-11-25/hour=07/a.parquet';
  project.write(`.headrace/predictions/${file}`, 'parquet');
  headraceJson(project, ['backup', 'without']);
  headraceJson(project, ['backup', 'with', '--with-predictions']);
  const [first, second] = [newPlace(), newPlace()];
  headraceJson(first, ['restore', project.file('without')]);
  expect(readdirSync(first.file('.headrace'))).not.toContain('predictions');
  headraceJson(second, ['restore', project.file('with')]);
  expect(readFileSync(second.file(`.headrace/predictions/${file}`), 'utf8')).toBe('parquet');
  // A name that leads elsewhere is none.
  const manifest = project.file('with/manifest.json');
  writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(`"name": "${file}"`, '"name": "../../elsewhere"'));
  const refused = headrace(newPlace(), ['restore', project.file('with')]);
  expect(refused.stderr).toContain('HR_BACKUP_DAMAGED: the backup names a file "../../elsewhere"');
}, 400_000);

it('is not forced upon a registry that a process writes for which is no server', async () => {
  const project = own(createServingProject());
  headraceJson(project, ['backup', 'backup']);
  const database = await openDatabase(`sqlite:${project.file('.headrace/registry.db')}`);
  const log = await openEventLog({
    path: project.file('.headrace/other-log'),
    database,
    objects: openObjectStore(`file:${project.file('.headrace/artifacts')}`),
    clock: systemClock,
    logger: silentLogger,
  });
  try {
    const { writer } = await log.register();
    const refused = headrace(project, ['restore', 'backup', '--force']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(new RegExp(`HR_RESTORE_REFUSED: writer ${writer} on .* took pushes`));
  } finally {
    await log.close();
    await database.close();
  }
}, 400_000);
