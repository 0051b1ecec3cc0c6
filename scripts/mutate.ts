// `npm run mutate`: plants small faults in the sources, one at a time, and says which of them the tests let through.

import { spawnSync } from 'node:child_process';
import { cpSync, globSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seeded } from '../src/core/index.ts';
import { makeOwnedFolder } from '../test/support/owned-folder.ts';
import { type Edit, faultsOf } from './mutate/draw-faults.ts';
import { chooseFor } from './test/affected/choose-tests.ts';
import { readRecord } from './test/affected/executed-record.ts';
import { readImportGraph } from './test/affected/import-graph.ts';
import { HELP, type ListedFault, readMutateOptions } from './test/read-mutate-options.ts';
import { root } from './test/root.ts';
import { endRunsOnSignal, runVitest } from './test/run-vitest.ts';
import { isQuick } from './test/tiers.ts';

const JOBS = 2;

/** What was changed into what, for a person, and the whole file with it: undefined where there is no such place any more. */
type Fault = { readonly file: string; readonly words: string; readonly text: string | undefined };

const read = readMutateOptions(process.argv.slice(2));
if (read === 'help' || 'problem' in read) {
  if (read === 'help') console.log(HELP);
  else console.error(read.problem);
  process.exit(read === 'help' ? 0 : 2);
}
const { folders, sample, limitMs, faults: given } = read.options;
const random = seeded(read.options.seed);
const controls: Record<string, ReturnType<typeof runTests>> = {};
endRunsOnSignal();
const [graph, record] = [readImportGraph(), readRecord()];
await tryAll(given === undefined ? draw() : given.map(listed));

async function tryAll(faults: readonly Fault[]): Promise<void> {
  if (record === undefined) console.log('No whole run of `npm test` is on record: tests are chosen by imports alone.');
  const ends: { group: string; outcome: string }[] = [];
  const waiting = faults.entries();
  const work = async (): Promise<void> => {
    const project = copyProject(() => true);
    // Two workers take from one iterator, so each fault is tried once.
    for (const [index, { file, words, text }] of waiting) {
      const began = performance.now();
      const [outcome, by] = await tryOne(project, file, text);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(`${index + 1}/${faults.length} ${outcome} ${file}:${words} (${seconds} s: ${by})`);
      const group = outcome === 'INVALID' ? `INVALID ${file}:${words}` : file.split('/', 2).join('/');
      ends.push({ group, outcome });
    }
  };
  await Promise.all(Array.from({ length: JOBS }, work));
  const valid = ends.filter((one) => one.outcome !== 'INVALID');
  const caughtOf = (some: typeof ends = []): number => some.filter((one) => one.outcome === 'caught').length;
  for (const [group, some = []] of Object.entries(Object.groupBy(ends, (one) => one.group)).sort())
    console.log(group.startsWith('INVALID') ? group : `${group.padEnd(24)} ${caughtOf(some)} of ${some.length}`);
  const share = ((100 * caughtOf(valid)) / Math.max(1, valid.length)).toFixed(1);
  console.log(`Caught ${caughtOf(valid)} of ${valid.length} (${share} %); ${ends.length - valid.length} INVALID.`);
  if (ends.length > valid.length) process.exitCode = 1;
}

async function tryOne(project: string, file: string, text?: string): Promise<readonly [outcome: string, by: string]> {
  if (text === undefined) return ['INVALID', 'it no longer applies'];
  const path = join(project, file);
  const before = readFileSync(path, 'utf8');
  writeFileSync(path, text);
  const files = chooseFor([file], graph, record, project).filter(isQuick);
  const end = files.length > 0 ? await runTests(project, files, limitMs) : undefined;
  writeFileSync(path, before);
  if (end === undefined) return ['SURVIVED', 'it affects no test'];
  if (end.report === undefined) return ['INVALID', 'no test ran'];
  const { files: ended, isCut } = end.report;
  const failed = ended.find((one) => one.state === 'failed');
  const ran = `${ended.length} of ${files.length} affected files ran`;
  if (failed === undefined && (end.code === 0 || isCut)) return ['SURVIVED', ran];
  const name = failed?.hungAt ?? failed?.tests.find((test) => test.state === 'failed')?.name ?? 'as a whole';
  // Where no file is to blame, it is an error between them.
  const blamed = failed === undefined ? ended.map((one) => one.file) : [failed.file];
  // The same without the fault, once for all faults that it catches.
  const control = blamed.length > 0 ? await (controls[blamed.join()] ??= runTests(project, blamed)) : undefined;
  return [control?.code === 0 ? 'caught' : 'INVALID', failed === undefined ? ran : `${failed.file} > ${name}`];
}

function runTests(project: string, files: readonly string[], limitMs?: number) {
  const how = { tier: 'quick', words: ['--bail=1', '--maxWorkers=1'], isOrdered: true, isSilent: true } as const;
  return runVitest({ ...how, files, project, limitMs });
}

/** As many from each folder, in turn. */
function draw(): Fault[] {
  // Twice as many as are wanted, for what does not compile.
  const each = Math.ceil(sample / folders.length) * 2 + 1;
  const drawn = folders.map((folder) => {
    const names = globSync(join(folder, '**/*.ts'), { cwd: root }).sort();
    const all = names.flatMap((file) => {
      const source = readFileSync(join(root, file), 'utf8');
      return faultsOf(source).map((edit) => ({ file, source, ...edit }));
    });
    const one = (): Fault[] => all.splice(Math.floor(random() * all.length), 1).map(planted);
    return Array.from({ length: Math.min(each, all.length) }, one).flat();
  });
  const compiling = thatCompile(drawn.flat());
  const good = drawn.map((faults) => faults.filter((fault) => compiling.has(fault)));
  const turns = Array.from({ length: each }, (_, turn) => good.flatMap((faults) => faults.slice(turn, turn + 1)));
  return turns.flat().slice(0, sample);
}

function listed({ id, file, find, replace }: ListedFault): Fault {
  const source = readFileSync(join(root, file), 'utf8');
  const from = source.indexOf(find);
  if (from < 0) return { file, words: `${id}, which has no ${find}`, text: undefined };
  return planted({ file, source, kind: id, from, to: from + find.length, text: replace });
}

function planted({ file, source, kind, from, to, text: by }: Edit & { file: string; source: string }): Fault {
  const short = (words: string): string => words.replaceAll(/\s+/g, ' ').slice(0, 80);
  const words = `${source.slice(0, from).split('\n').length} ${kind}: ${short(source.slice(from, to))} → ${short(by)}`;
  return { file, words, text: source.slice(0, from) + by + source.slice(to) };
}

/** Each lies beside the file that it is made from, in a copy, and all are compiled at once. */
function thatCompile(faults: readonly Fault[]): ReadonlySet<Fault> {
  const project = copyProject((name) => ['src', 'package.json', 'tsconfig.json'].includes(name));
  const names = new Map(faults.map((one, index) => [one.file.replace(/\.ts$/, `.fault${index}.ts`), one]));
  for (const [name, { text = '' }] of names) writeFileSync(join(project, name), text);
  const how = { cwd: project, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 } as const;
  // Where one does not parse, the types of the others are not looked at: so again without it.
  for (let wrong = ['']; wrong.length > 0; ) {
    const { stdout, status } = spawnSync(join(root, 'node_modules/.bin/tsc'), ['--noEmit', '--pretty', 'false'], how);
    const lines = stdout.matchAll(/^(.+?)\(\d+,\d+\): error/gm);
    wrong = [...lines].flatMap(([, name = '']) => (names.delete(name) ? [name] : []));
    for (const name of wrong) rmSync(join(project, name));
    if (status !== 0 && wrong.length === 0) throw new Error(`tsc fails without the faults, too: ${stdout}`);
  }
  return new Set(names.values());
}

function copyProject(has: (name: string) => boolean): string {
  const project = makeOwnedFolder(tmpdir(), 'headrace-mutate');
  process.once('exit', () => rmSync(project, { recursive: true, force: true }));
  for (const name of readdirSync(root))
    if (!['node_modules', '.git', '.headrace', 'dist'].includes(name) && has(name))
      cpSync(join(root, name), join(project, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'));
  return project;
}
