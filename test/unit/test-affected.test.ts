// Which tests `npm test -- --affected` chooses, in a small project with a record made up for it.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseAffected, describeChoice, describeUntested } from '../../scripts/test/affected/choose-tests.ts';
import { isRecordFresh, keepRecord, newRecord, readRecord } from '../../scripts/test/affected/executed-record.ts';

const SUM = `export const TABLE = build();
function build() {
  return 1;
}
export function sum(a: number, b: number) {
  return a + b;
}
export function half(
  a: number,
  by = 2,
) {
  return a / by;
}
function never() {
  return 0;
}
export class Tally {
  total = 0;
  add(by: number) {
    this.total += by;
  }
  readonly name = 'tally';
}
`;

let project: string;
const put = (path: string, text: string): void => {
  mkdirSync(dirname(join(project, path)), { recursive: true });
  writeFileSync(join(project, path), text);
};
const git = (...words: string[]): void => void execFileSync('git', words, { cwd: project, stdio: 'ignore' });
const choose = (since = 'HEAD') => chooseAffected(since, () => true, project);

/** `one` loaded the module first and calls `sum`, as does `two`, which calls `half` too; `three` makes a `Tally`, and `program` starts a program. */
function record(): void {
  const folder = newRecord(project);
  const from = (text: string): number => SUM.indexOf(text);
  const span = (begin: string, end: string): [number, number] => [
    from(begin),
    SUM.indexOf(end, from(begin)) + end.length,
  ];
  const functions: Record<string, [number, number]> = {
    module: [0, SUM.length],
    build: span('function build', '\n}'),
    sum: span('function sum', '\n}'),
    half: span('function half', '\n}'),
    never: span('function never', '\n}'),
    fields: span('total = 0', "'tally'"),
    add: span('add(by', '  }'),
  };
  const executed = { one: 'module build sum', two: 'sum half', three: 'fields add', program: 'module build' };
  for (const [index, [test, names]] of Object.entries(executed).entries()) {
    const was = names.split(' ');
    const all = Object.entries(functions).map(([name, place]) => [...place, was.includes(name) ? 1 : 0]);
    const group = { tests: [`test/${test}.test.ts`], executed: { 'src/sum.ts': all } };
    writeFileSync(join(folder, `1-${index}.json`), JSON.stringify(group));
  }
  keepRecord(folder, undefined, project);
}

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'headrace-affected-'));
  put('src/sum.ts', SUM);
  for (const name of ['one', 'two', 'three']) put(`test/${name}.test.ts`, "import { sum } from '../src/sum.ts';\n");
  put('test/program.test.ts', '');
  put('.gitignore', 'node_modules\n');
  git('init', '-q');
  git('add', '.');
  git('-c', 'user.name=a', '-c', 'user.email=a@b.c', 'commit', '-q', '-m', 'first');
  record();
});
afterEach(() => rmSync(project, { recursive: true, force: true }));

const IMPORTERS = ['one', 'three', 'two'];
const ALL = [...IMPORTERS, 'program'].sort();

describe('the tests that a change affects', () => {
  it.each([
    ['a line in a function', 'return a + b;', 'return a - b;', ['one', 'two']],
    ['a parameter’s default', 'by = 2', 'by = 3', ['two']],
    ['a class field', 'total = 0;\n', 'total = 0;\n  most = 1;\n', ['three']],
    ['a line in a method', '+= by', '-= by', ['three']],
    ['a constant of the module', 'const TABLE =', 'const LIST =', ALL],
    ['a line of the module right after a function', '}\nexport class', '}\nsum(1, 2);\nexport class', ALL],
    [
      'a new function between two',
      '}\nfunction never',
      '}\nexport function more() {\n  return 3;\n}\nfunction never',
      ALL,
    ],
    ['a function that runs when the module is loaded', 'return 1;', 'return 4;', ALL],
    ['a function that no test executed', 'return 0;', 'return 5;', IMPORTERS],
  ])('are those that %s can reach', (_, before, after, tests) => {
    put('src/sum.ts', SUM.replace(before, after));
    const { files, untested } = choose();
    expect(files.toSorted()).toEqual(tests.map((name) => `test/${name}.test.ts`).toSorted());
    expect(untested).toEqual([]);
  });

  it.each([
    ['is deleted', () => git('rm', '-q', 'src/sum.ts')],
    ['moves', () => git('mv', 'src/sum.ts', 'src/total.ts')],
  ])('are all that executed or import a source that %s', (_, change) => {
    change();
    expect(choose().files.toSorted()).toEqual(ALL.map((name) => `test/${name}.test.ts`));
  });

  it('are those of what differs from the commit, even if the whole run on record had the change', () => {
    put('src/sum.ts', SUM.replace('by = 2', 'by = 3'));
    record();
    expect(choose().files).toEqual(['test/two.test.ts']);
  });

  it('are found for names that git would quote', () => {
    put('test/größe.test.ts', '');
    expect(choose().files).toEqual(['test/größe.test.ts']);
  });

  it.each(['src/new.ts', 'python/main.py', 'package.json', 'test/support/world.ts'])(
    'are not known for %s, which is named',
    (path) => {
      put(path, '{}');
      const choice = choose();
      expect(choice.files).toEqual([]);
      expect(describeUntested(choice)).toBe(
        `No test is known for: ${path}. Nothing was tested. \`npm test\` runs all.`,
      );
    },
  );

  it('are none for a document, or for a test that is gone', () => {
    put('README.md', 'more');
    expect(describeChoice(choose())).toContain('Only documents changed since HEAD: README.md.');
    git('rm', '-q', 'test/two.test.ts');
    expect(choose()).toMatchObject({ files: [], untested: [] });
  });

  it('are described in words', () => {
    const { recordedAt = 0 } = choose();
    put('src/sum.ts', SUM.replace('by = 2', 'by = 3'));
    expect(describeChoice(choose(), recordedAt + 3 * 3600_000)).toBe(
      '1 file changed since HEAD; 1 test file executed what changed (recorded 3 hours ago), or import it.',
    );
  });
});

describe('the record of what tests execute', () => {
  const folders = () => readdirSync(join(project, 'node_modules/.cache/headrace'));

  it('is written to a folder of each run’s own', () => {
    expect(newRecord(project)).not.toBe(newRecord(project));
  });

  it('is not kept where the run failed, or a source changed while it ran', () => {
    rmSync(join(project, 'node_modules'), { recursive: true });
    expect(keepRecord(newRecord(project), 'a test failed', project)).toBe('a test failed');
    const folder = newRecord(project);
    put('src/sum.ts', `${SUM} `);
    expect(keepRecord(folder, undefined, project)).toBe('src/sum.ts changed while the tests ran');
    expect(folders()).toEqual([]);
  });

  it.each([
    ['a group is cut', '1-0.json', (text: string) => text.slice(0, -9), '1-0.json is damaged'],
    ['it is of another version', 'record.json', (text: string) => text.replace(':1,', ':0,'), 'another version'],
  ])('is as none where %s, which is said', (_, name, damage, words) => {
    const file = join(project, 'node_modules/.cache/headrace/executed', name);
    writeFileSync(file, damage(readFileSync(file, 'utf8')));
    const said: string[] = [];
    expect(readRecord(project, (line) => said.push(line))).toBeUndefined();
    expect(said.join()).toContain(words);
    expect(existsSync(file)).toBe(true);
  });

  it('is fresh for a day', () => {
    expect(isRecordFresh(project)).toBe(true);
    const file = join(project, 'node_modules/.cache/headrace/executed/record.json');
    const about = JSON.parse(readFileSync(file, 'utf8')) as { recordedAt: number };
    writeFileSync(file, JSON.stringify({ ...about, recordedAt: about.recordedAt - 25 * 3600_000 }));
    expect(isRecordFresh(project)).toBe(false);
  });
});
