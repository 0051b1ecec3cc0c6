// `npm run mutate`: plants small faults in the sources, one at a time, and says which of them the tests let through.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Fault, faultsOf, randomBy } from './mutate/draw-faults.ts';
import { openCopy, type Outcome } from './mutate/try-fault.ts';
import { readRecord } from './test/affected/executed-record.ts';
import { readImportGraph } from './test/affected/import-graph.ts';
import { root } from './test/root.ts';

const HELP = `Usage: npm run mutate [-- OPTIONS] [FOLDER…]

Plants faults drawn at random from the code of the folders (default: each of src), one at a time, only what still compiles,
and runs the tests that each affects, the nearest first, until one fails. Run \`npm test\` first: it records what is affected.

  --sample N     how many faults, as many from each folder; default 40
  --seed N       draws others; default 1
  --faults FILE  the faults of a file instead: [{ "id", "file", "find", "replace" }], as test/faults.json
  --limit S      seconds for one fault; what is neither caught nor through by then counts as not caught; default 300
  --jobs N       how many at a time; default 2
  --json FILE    writes what became of each

Example: npm run mutate -- src/core src/ingestion --sample 40 --seed 1`;

interface Candidate extends Pick<Fault, 'kind'> {
  readonly file: string;
  readonly line: number;
  readonly was: string;
  readonly now: string;
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
    jobs: { type: 'string', default: '2' },
    json: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help === true) console.log(HELP);
else await mutate();

async function mutate(): Promise<void> {
  const record = readRecord();
  if (record === undefined)
    console.log('No whole run of `npm test` is on record: tests are chosen by imports alone, which are many more.');
  const drawn = options.faults === undefined ? draw() : listed(options.faults);
  const graph = readImportGraph();
  const results: (Candidate & Outcome)[] = [];
  const waiting = [...drawn];
  const work = async (): Promise<void> => {
    const copy = openCopy(graph, record, Number(options.limit) * 1000);
    try {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        const outcome = await copy.try(one.file, one.text);
        results.push({ ...one, ...outcome });
        const place = `${one.file}:${one.line}`;
        console.log(
          `${String(results.length).padStart(4)}/${drawn.length} ${outcome.verdict.padEnd(8)} ${place} ${one.kind}: ` +
            `${one.was} → ${one.now} (${outcome.affected} affected, ${outcome.seconds.toFixed(1)} s: ${outcome.by})`,
        );
      }
    } finally {
      copy.remove();
    }
  };
  await Promise.all(Array.from({ length: Number(options.jobs) }, work));
  if (options.json !== undefined)
    writeFileSync(
      options.json,
      JSON.stringify(
        results.map(({ text: _, ...one }) => one),
        undefined,
        2,
      ),
    );
  summarize(results);
}

/** As many from each folder, in turn; what does not compile is replaced by another of the same folder. */
function draw(): Candidate[] {
  const folders = positionals.length > 0 ? positionals : readdirSync(join(root, 'src')).map((name) => `src/${name}`);
  const random = randomBy(Number(options.seed));
  const wanted = Number(options.sample);
  // Twice as many as are wanted, for what does not compile.
  const each = Math.ceil(wanted / folders.length) * 2 + 1;
  const byFolder = folders.map((folder) => {
    const all = sourcesIn(folder).flatMap((file) => {
      const source = readFileSync(join(root, file), 'utf8');
      return faultsOf(source).map((fault) => ({ file, source, fault }));
    });
    return Array.from({ length: Math.min(each, all.length) }, () => {
      const [one] = all.splice(Math.floor(random() * all.length), 1);
      // `all` is never empty here: no more are taken than there are.
      const { file, source, fault } = one as (typeof all)[number];
      return candidate(file, source, fault);
    });
  });
  const compiling = byFolder.map((candidates) => [...candidates]);
  const good = compile(compiling.flat());
  const drawn: Candidate[] = [];
  for (let turn = 0; drawn.length < wanted && turn < each; turn++)
    for (const candidates of compiling) {
      const next = candidates.filter((one) => good.has(one))[turn];
      if (next !== undefined && drawn.length < wanted) drawn.push(next);
    }
  return drawn;
}

function candidate(file: string, source: string, { kind, from, to, text }: Fault): Candidate {
  const short = (words: string): string => words.replaceAll(/\s+/g, ' ').slice(0, 80);
  return {
    file,
    kind,
    line: source.slice(0, from).split('\n').length,
    was: short(source.slice(from, to)),
    now: short(text),
    text: source.slice(0, from) + text + source.slice(to),
  };
}

function listed(path: string): Candidate[] {
  const faults = JSON.parse(readFileSync(path, 'utf8')) as {
    id: string;
    file: string;
    find: string;
    replace: string;
  }[];
  return faults.flatMap(({ id, file, find, replace }) => {
    const source = readFileSync(join(root, file), 'utf8');
    const from = source.indexOf(find);
    if (from >= 0) return [candidate(file, source, { kind: id, from, to: from + find.length, text: replace })];
    console.log(`${id} no longer applies: ${file} has no ${find}`);
    return [];
  });
}

function sourcesIn(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => join(folder, name))
    .sort();
}

/** Those that compile: each lies beside the file that it is made from, in a copy, and all are compiled at once. */
function compile(candidates: readonly Candidate[]): ReadonlySet<Candidate> {
  const directory = mkdtempSync(join(tmpdir(), 'headrace-mutate-types-'));
  try {
    cpSync(join(root, 'src'), join(directory, 'src'), { recursive: true });
    for (const name of ['package.json', 'tsconfig.json']) cpSync(join(root, name), join(directory, name));
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'));
    const names = new Map(candidates.map((one, index) => [one.file.replace(/\.ts$/, `.fault${index}.ts`), one]));
    for (const [name, { text }] of names) writeFileSync(join(directory, name), text);
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    const { stdout } = spawnSync(tsc, ['--noEmit', '--pretty', 'false'], {
      cwd: directory,
      encoding: 'utf8',
      maxBuffer: 256 * 1024 * 1024,
    });
    const wrong = new Set([...stdout.matchAll(/^(.+?)\(\d+,\d+\): error/gm)].map(([, file]) => file));
    return new Set([...names].filter(([name]) => !wrong.has(name)).map(([, one]) => one));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function summarize(results: readonly (Candidate & Outcome)[]): void {
  const folders = new Map<string, { caught: number; all: number }>();
  for (const { file, verdict } of results) {
    const folder = file.split('/').slice(0, 2).join('/');
    const counts = folders.get(folder) ?? { caught: 0, all: 0 };
    folders.set(folder, { caught: counts.caught + (verdict === 'caught' ? 1 : 0), all: counts.all + 1 });
  }
  console.log('');
  for (const [folder, { caught, all }] of [...folders].sort()) console.log(`${folder.padEnd(24)} ${caught} of ${all}`);
  const caught = results.filter((one) => one.verdict === 'caught').length;
  const share = results.length === 0 ? 0 : (100 * caught) / results.length;
  console.log(`\nCaught ${caught} of ${results.length} (${share.toFixed(1)} %).`);
}
