// `npm run mutate`: plants small faults in the sources, one at a time, and says which of them the tests let through.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { faultsOf, randomBy } from './mutate/draw-faults.ts';
import { chooseFor, isQuick } from './test/affected/choose-tests.ts';
import { readRecord } from './test/affected/executed-record.ts';
import { readImportGraph } from './test/affected/import-graph.ts';
import { root } from './test/root.ts';
import { runVitest } from './test/run-vitest.ts';

const HELP = `Usage: npm run mutate [-- OPTIONS] [FOLDER…]

Plants faults drawn at random from the code of the folders (default: each of src), one at a time, only what still compiles,
and runs the tests that each affects, the nearest first, until one fails. Run \`npm test\` first: it records what is affected.

  --sample N     how many faults, as many from each folder; default 40
  --seed N       draws others; default 1
  --faults FILE  the faults of a file instead: [{ "id", "file", "find", "replace" }], as test/faults.json
  --limit S      seconds for one fault; what is neither caught nor through by then counts as not caught; default 300

Example: npm run mutate -- src/core src/ingestion --sample 40 --seed 1`;
const JOBS = 2;
/** A test that a fault makes hang, without ever yielding, is ended after this, and the fault counts as caught. */
const HANG_MS = 150_000;

interface Fault {
  readonly file: string;
  /** What was changed into what, for a person. */
  readonly words: string;
  /** The whole file with the fault. */
  readonly text: string;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    sample: { type: 'string', default: '40' },
    seed: { type: 'string', default: '1' },
    faults: { type: 'string' },
    limit: { type: 'string', default: '300' },
    help: { type: 'boolean' },
  },
});
const limitMs = Number(options.limit) * 1000;
const [graph, record] = [readImportGraph(), readRecord()];
if (options.help === true) console.log(HELP);
else await tryAll(options.faults === undefined ? draw() : listed(options.faults));

async function tryAll(faults: readonly Fault[]): Promise<void> {
  if (record === undefined) console.log('No whole run of `npm test` is on record: tests are chosen by imports alone.');
  const folders = new Map<string, { caught: number; all: number }>();
  const waiting = faults.entries();
  const work = async (): Promise<void> => {
    const project = copyProject(() => true);
    // Two workers take from one iterator, so each fault is tried once.
    for (const [index, { file, words, text }] of waiting) {
      const began = performance.now();
      const { isCaught, by } = await tryOne(project, file, text);
      const seconds = ((performance.now() - began) / 1000).toFixed(1);
      console.log(
        `${index + 1}/${faults.length} ${isCaught ? 'caught' : 'SURVIVED'} ${file}:${words} (${seconds} s: ${by})`,
      );
      const folder = file.split('/').slice(0, 2).join('/');
      const counts = folders.get(folder) ?? { caught: 0, all: 0 };
      folders.set(folder, { caught: counts.caught + (isCaught ? 1 : 0), all: counts.all + 1 });
    }
    rmSync(project, { recursive: true, force: true });
  };
  await Promise.all(Array.from({ length: JOBS }, work));
  for (const [folder, { caught, all }] of [...folders].sort()) console.log(`${folder.padEnd(24)} ${caught} of ${all}`);
  const caught = [...folders.values()].reduce((sum, one) => sum + one.caught, 0);
  console.log(`Caught ${caught} of ${faults.length} (${((100 * caught) / Math.max(1, faults.length)).toFixed(1)} %).`);
}

async function tryOne(project: string, file: string, text: string): Promise<{ isCaught: boolean; by: string }> {
  const path = join(project, file);
  const before = readFileSync(path, 'utf8');
  writeFileSync(path, text);
  const files = chooseFor([file], graph, record, project).filter(isQuick);
  const words = ['--bail=1', '--maxWorkers=1'];
  const limits = { limitMs, killMs: limitMs + HANG_MS };
  const how = { tier: 'quick', files, words, project, isOrdered: true, isSilent: true, ...limits };
  const { code, report } = files.length === 0 ? { code: 0, report: { files: [], isCut: false } } : await runVitest(how);
  writeFileSync(path, before);
  if (report === undefined) return { isCaught: true, by: 'a test that never ended, or a crash' };
  const failed = report.files.find((one) => one.state === 'failed');
  const name = failed?.tests.find((test) => test.state === 'failed')?.name ?? 'as a whole';
  if (failed !== undefined) return { isCaught: true, by: `${failed.file} > ${name}` };
  const ran = `${report.files.length} of ${files.length} affected files ran`;
  return { isCaught: code !== 0 && !report.isCut, by: ran };
}

/** As many from each folder, in turn. */
function draw(): Fault[] {
  const folders = positionals.length > 0 ? positionals : readdirSync(join(root, 'src')).map((name) => `src/${name}`);
  const [random, wanted] = [randomBy(Number(options.seed)), Number(options.sample)];
  // Twice as many as are wanted, for what does not compile.
  const each = Math.ceil(wanted / folders.length) * 2 + 1;
  const drawn = folders.map((folder) => {
    const all = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort()
      .flatMap((name) => {
        const file = join(folder, name);
        const source = readFileSync(join(root, file), 'utf8');
        return faultsOf(source).map((edit) => ({ file, source, ...edit }));
      });
    const some = Array.from({ length: Math.min(each, all.length) }, () =>
      all.splice(Math.floor(random() * all.length), 1),
    );
    return some.flat().map((one) => planted(one.file, one.source, one.kind, one.from, one.to, one.text));
  });
  const compiling = thatCompile(drawn.flat());
  const good = drawn.map((faults) => faults.filter((fault) => compiling.has(fault)));
  return Array.from({ length: each }, (_, turn) => good.flatMap((faults) => faults.slice(turn, turn + 1)))
    .flat()
    .slice(0, wanted);
}

function listed(path: string): Fault[] {
  const all = JSON.parse(readFileSync(path, 'utf8')) as { id: string; file: string; find: string; replace: string }[];
  return all.flatMap(({ id, file, find, replace }) => {
    const source = readFileSync(join(root, file), 'utf8');
    const from = source.indexOf(find);
    if (from < 0) console.log(`${id} no longer applies: ${file} has no ${find}`);
    return from < 0 ? [] : [planted(file, source, id, from, from + find.length, replace)];
  });
}

function planted(file: string, source: string, kind: string, from: number, to: number, by: string): Fault {
  const short = (words: string): string => words.replaceAll(/\s+/g, ' ').slice(0, 80);
  const words = `${source.slice(0, from).split('\n').length} ${kind}: ${short(source.slice(from, to))} → ${short(by)}`;
  return { file, words, text: source.slice(0, from) + by + source.slice(to) };
}

/** Each lies beside the file that it is made from, in a copy, and all are compiled at once. */
function thatCompile(faults: readonly Fault[]): ReadonlySet<Fault> {
  const project = copyProject((name) => ['src', 'package.json', 'tsconfig.json'].includes(name));
  const names = new Map(faults.map((one, index) => [one.file.replace(/\.ts$/, `.fault${index}.ts`), one]));
  for (const [name, { text }] of names) writeFileSync(join(project, name), text);
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  const how = { cwd: project, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 } as const;
  // Where one does not parse, the types of the others are not looked at: so again without it.
  for (let wrong = ['']; wrong.length > 0; ) {
    const { stdout } = spawnSync(tsc, ['--noEmit', '--pretty', 'false'], how);
    const lines = stdout.matchAll(/^(.+?)\(\d+,\d+\): error/gm);
    wrong = [...lines].flatMap(([, name = '']) => (names.delete(name) ? [name] : []));
    for (const name of wrong) rmSync(join(project, name));
  }
  rmSync(project, { recursive: true, force: true });
  return new Set(names.values());
}

function copyProject(has: (name: string) => boolean): string {
  const project = mkdtempSync(join(tmpdir(), 'headrace-mutate-'));
  for (const name of readdirSync(root))
    if (!['node_modules', '.git', '.headrace', 'dist'].includes(name) && has(name))
      cpSync(join(root, name), join(project, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'));
  return project;
}
