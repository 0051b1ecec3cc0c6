// What `init` writes: data with a pattern in it, and paths that an editor follows.

import { mkdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EDITOR_TYPES_FILE, editorTypes, hasLostTypes, nearPath } from '../../src/cli/init/editor-types.ts';
import { makeShopData } from '../../src/cli/init/shop-data.ts';
import { readTemplate } from '../../src/cli/init/template.ts';
import { folderOfFile } from '../support/new-folder.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

function parseCsv(text: string): Record<string, string>[] {
  const [head = '', ...lines] = text.trimEnd().split('\n');
  return lines.map((line) => Object.fromEntries(head.split(',').map((name, at) => [name, line.split(',')[at] ?? ''])));
}

const timeOf = (row: Record<string, string>): number => Date.parse(row['bought_at'] ?? '');

describe('the example’s data', () => {
  const nowMs = Date.UTC(2026, 10, 25, 12);
  const data = makeShopData(nowMs);
  const purchases = parseCsv(data.purchases);
  const baskets = parseCsv(data.baskets);

  it('is thousands of purchases in the order of time that end two hours ago, so that windows hold some', () => {
    expect(purchases).toHaveLength(6570);
    const times = purchases.map(timeOf);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    expect(times.at(-1)).toBeLessThanOrEqual(nowMs - 2 * HOUR_MS);
    expect(times.at(-1)).toBeGreaterThan(nowMs - 6 * HOUR_MS);
    const ofAda = purchases.filter(({ customer }) => customer === 'ada');
    expect(ofAda.filter((row) => timeOf(row) > nowMs - 7 * DAY_MS)).toHaveLength(5);
  });

  it('is the same each time but for when it ends', () => {
    const later = makeShopData(nowMs + 12_345_678);
    const others = (rows: Record<string, string>[]) => rows.map((row) => ({ ...row, bought_at: '' }));
    expect(others(parseCsv(later.purchases))).toEqual(others(purchases));
    expect(parseCsv(later.baskets).map((row) => timeOf(row) - 12_345_678)).toEqual(baskets.map(timeOf));
  });

  it('tells only of purchases whose fortnight for sending them back is over whether they came back', () => {
    expect(baskets.length).toBeGreaterThan(3000);
    expect(Math.max(...baskets.map(timeOf))).toBeLessThanOrEqual(nowMs - 14 * DAY_MS);
    const returned = baskets.filter((row) => row['returned'] === '1').length / baskets.length;
    expect(returned).toBeGreaterThan(0.1);
    expect(returned).toBeLessThan(0.4);
  });

  it('has events that no file has yet, none of them in the future', () => {
    const events = data.events
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(events).toHaveLength(3);
    for (const event of events) {
      expect(timeOf(event)).toBeGreaterThan(timeOf(purchases.at(-1) ?? {}));
      expect(timeOf(event)).toBeLessThan(nowMs);
    }
  });
});

describe('where an editor finds the types', () => {
  const directory = folderOfFile();

  const parse = (text: string) =>
    JSON.parse(text.replace(/^\/\/.*\n/, '')) as {
      compilerOptions: { typeRoots: string[]; paths: { headrace: string[]; 'headrace/client': string[] } };
    };

  it('is told by a relative path where the two lie near each other, else by an absolute one', () => {
    expect(nearPath('/work/shop', '/work/headrace/src/index.ts')).toBe('../headrace/src/index.ts');
    expect(nearPath('/work/a/b/shop', '/work/headrace/src/index.ts')).toBe('../../../headrace/src/index.ts');
    expect(nearPath('/work/a/b/c/shop', '/work/headrace/src/index.ts')).toBe('/work/headrace/src/index.ts');
    expect(nearPath('/tmp/shop', '/work/headrace/src/index.ts')).toBe('/work/headrace/src/index.ts');
    expect(nearPath('/work/headrace', '/work/headrace/src/index.ts')).toBe('./src/index.ts');
  });

  it('is the project’s own package first, then this very program', () => {
    const { paths, typeRoots } = parse(editorTypes(directory)).compilerOptions;
    // Headrace may lie near the folder, or not.
    const near = (path: string) => nearPath(realpathSync(directory), resolve(path));
    expect(paths.headrace).toEqual(['./node_modules/headrace/dist/index.d.ts', near('src/index.ts')]);
    const expected = ['./node_modules/headrace/dist/client/index.d.ts', near('src/client/index.ts')];
    expect(paths['headrace/client']).toEqual(expected);
    expect(typeRoots).toEqual(['./node_modules/@types', near('node_modules/@types')]);
  });

  it('is whole paths where the folder is a link: what is relative to its name leads elsewhere', () => {
    const near = join(resolve('node_modules'), '.headrace-linked');
    const link = join(directory, 'link');
    mkdirSync(near, { recursive: true });
    try {
      symlinkSync(near, link);
      expect(parse(editorTypes(near)).compilerOptions.paths.headrace[1]).toBe('../../src/index.ts');
      expect(parse(editorTypes(link)).compilerOptions.paths.headrace[1]).toBe(resolve('src/index.ts'));
    } finally {
      rmSync(near, { recursive: true });
    }
  });

  it('is known to be lost once none of its paths leads anywhere', async () => {
    const write = (text: string) => writeFileSync(join(directory, EDITOR_TYPES_FILE), text);
    await expect(hasLostTypes(directory)).resolves.toBe(false);
    write(editorTypes(directory));
    await expect(hasLostTypes(directory)).resolves.toBe(false);
    write('{ "compilerOptions": { "paths": { "headrace": ["../gone/index.ts", "/nowhere/index.ts"] } } }');
    await expect(hasLostTypes(directory)).resolves.toBe(true);
  });
});

it('fills the name and the ways to run things into the template, and leaves the rest as it is', async () => {
  const files = await readTemplate({
    project: 'my_shop',
    program: `npm --prefix '/a $& b' run -s headrace --`,
    node: '/n',
  });
  expect(files.get('headrace.config.ts')).toContain(`project: 'my_shop',`);
  expect(JSON.parse(files.get('package.json') ?? '')).toMatchObject({ name: 'my_shop', type: 'module' });
  const readme = files.get('README.md') ?? '';
  expect(readme).toMatch(/^# my_shop\n/);
  expect(readme).toContain(`\nnpm --prefix '/a $& b' run -s headrace -- apply\n`);
  expect(readme).toContain('\n/n --test ');
  expect(readme).not.toMatch(/^(headrace|node) /m);
  expect([...files.keys()]).toContain('.gitignore');
  for (const name of files.keys()) expect(name).not.toMatch(/data\/|node_modules|\.headrace\//);
});
