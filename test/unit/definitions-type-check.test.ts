import { readFile, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseDiagnostics, runCompiler } from '../../src/definitions/checking/run-compiler.ts';
import { loadDefinitions, typeCheck } from '../../src/definitions/index.ts';
import { compile as compileProject, COMPILER_OPTIONS } from '../support/template-project.ts';
import {
  failureOf,
  type Files,
  IMPORTS,
  loadingError,
  viewText,
  writeFiles,
  writeRepository,
} from '../support/written-repository.ts';

/** The mistakes that the check finds, as `place: message`. */
async function mistakesIn(files: Files, repo = ''): Promise<string[]> {
  const folder = await writeRepository(files);
  const error = await failureOf(typeCheck({ repoDirectory: join(folder, repo), configDirectory: folder }));
  return error.details.map(({ path, message }) => `${path}: ${message}`);
}

async function expectSound(files: Files, repo = ''): Promise<void> {
  const folder = await writeRepository(files);
  await typeCheck({ repoDirectory: join(folder, repo), configDirectory: folder });
}

const strict = (more: object): string =>
  JSON.stringify({ compilerOptions: { strict: true, target: 'es2024', ...more } });

describe('checking the types of a repository', () => {
  it('finds a mistake at its place, and says it in the words of the definitions', async () => {
    const folder = await writeRepository({ 'v.ts': `${IMPORTS}${viewText('({ request }) => ({ y: request.z })')}` });
    const { details, message } = await failureOf(typeCheck({ repoDirectory: folder, configDirectory: folder }));
    expect(details[0]).toMatchObject({ path: 'v.ts:3:116', file: 'v.ts', line: 3, column: 116 });
    expect(details[0]?.message).toBe(
      'the transform of on-demand view "v": input "request" has no column "z". Did you mean "x"?',
    );
    expect(message).toContain('one mistake');
  });

  it('accepts a sound one anywhere, with no tsconfig.json, packages, or extensions of imports', async () => {
    await expectSound({
      'v.ts': `${IMPORTS}import { late } from './lib/rules';\nimport days from './days.json' with { type: 'json' };\n${viewText('({ request }) => ({ y: late(request.x) ? days.n : 0 })')}`,
      'lib/rules.ts': 'export const late = (x: number | null): boolean => x != null && x > 15;',
      'days.json': '{ "n": 1 }',
      'task.ts': `${IMPORTS}import { readFile } from 'node:fs/promises';\nconst p = pipeline('p');\np.step('a', task(async () => { console.log(process.pid); return (await readFile('x', 'utf8')).length; }));\nexport default p;`,
      // A task takes its needs without naming their types.
      'p.ts': `import { grid, pipeline, python, task } from 'headrace';
const p = pipeline('train');
const fit = p.step('fit', python('train.py'), { foreach: grid({ trees: [100, 200] }) });
p.step('best', task(({ fit }) => fit.toSorted((a, b) => b.auc - a.auc)[0]), { needs: { fit } });
export default p;`,
      'x.test.ts': 'const n: number = "not looked at";',
      'plain.js': 'const n = 1; n.no.no;',
      'data/x.ts': 'const n: number = "not looked at";',
    });
  });

  it('is strict by itself', async () => {
    const found = await mistakesIn({
      'a.ts':
        'export const f = (x) => x;\nexport const g = (x: string | null): string => x;\nexport function h(x: boolean): number | undefined { if (x) return 1; }',
      'b.ts': `import { T } from './types.ts';\nexport const t: T = 1;`,
      'types.ts': 'export type T = number;',
    });
    const expected = ['a.ts:1:19 TS7006', 'a.ts:2:48 TS2322', 'a.ts:3:32 TS7030', 'b.ts:1:10 TS1484'];
    expect(found.map((one) => one.replace(/: .*\((TS\d+)\)$/, ' $1'))).toEqual(expected);
  });

  it('is as strict as the repository’s tsconfig.json, or the nearest up to the configuration’s folder', async () => {
    const file = 'export const g = (xs: number[]): number => xs[0];\nexport const f = (x) => x;';
    await expectSound({ 'tsconfig.json': strict({ noImplicitAny: false }), 'a.ts': file });
    await expectSound({ 'tsconfig.json': strict({ noImplicitAny: false }), 'repo/a.ts': file }, 'repo');
    const found = await mistakesIn(
      { 'tsconfig.json': strict({ noUncheckedIndexedAccess: true }), 'repo/a.ts': file },
      'repo',
    );
    expect(found).toHaveLength(2);
    // One above the configuration's folder is not the project's.
    const folder = await writeRepository({ 'tsconfig.json': strict({ strict: false }), 'p/repo/a.ts': file });
    await failureOf(typeCheck({ repoDirectory: join(folder, 'p/repo'), configDirectory: join(folder, 'p') }));
  });

  it('keeps what a tsconfig.json says of paths and types, and reads declarations', async () => {
    await expectSound(
      {
        'tsconfig.json': `{ // comments are fine\n  "extends": "./base.json", "include": ["nothing"], }`,
        'base.json': strict({
          paths: { '~/*': ['./repo/lib/*'] },
          types: ['things', 'node'],
          module: 'nodenext',
          outDir: 'dist',
          composite: true,
        }),
        'repo/v.ts': `${IMPORTS}import { late } from '~/rules.ts';\nimport { two } from 'lib';\n${viewText('({ request }) => ({ y: late(request.x) ? two + thing + declared : 0 })')}`,
        'repo/lib/rules.ts': 'export const late = (x: number | null): boolean => x != null;',
        'repo/globals.d.ts': 'declare const declared: number;',
        'node_modules/@types/things/index.d.ts': 'declare const thing: number;',
        'node_modules/lib/package.json': '{"name":"lib","version":"1.0.0","types":"index.d.ts"}',
        'node_modules/lib/index.d.ts': 'export const two: number;\nexport const wrong: Missing;',
      },
      'repo',
    );
  });

  it('checks plain JavaScript where the tsconfig.json says so', async () => {
    const found = await mistakesIn({
      'tsconfig.json': strict({ checkJs: true }),
      'plain.js': 'export const n = 1;\nn.no;',
    });
    expect(found).toEqual([expect.stringMatching(/^plain\.js:2:3: Property 'no' .*TS2339/)]);
  });

  it('tells what is wrong with a tsconfig.json', async () => {
    const found = await mistakesIn({
      'tsconfig.json': '{ "compilerOptions": { "strict": "yes" } }',
      'a.ts': 'export {};',
    });
    expect(found).toEqual([expect.stringMatching(/^tsconfig\.json:1:34: .*strict.*boolean/)]);
  });

  it('does so through a link', async () => {
    const folder = await writeRepository({ 'repo/a.ts': 'export const n: string = 1;' });
    await symlink(join(folder, 'repo'), join(folder, 'link'));
    const error = await failureOf(typeCheck({ repoDirectory: join(folder, 'link'), configDirectory: folder }));
    expect(error.details[0]?.path).toBe('a.ts:1:14');
  });
});

describe('the compiler', () => {
  it('that can’t be started is told, with what to do', async () => {
    const error = await failureOf(runCompiler(['--version'], '/no/such/folder'), 'HR_TYPESCRIPT_UNAVAILABLE');
    expect(error.message).toContain('Install Headrace again');
  });

  it('goes on in indented lines', () => {
    const output = `a b.ts(1,2): error TS1: One.\n  Because.\n    Of that.\nerror TS2: Two.\n\nFound 2 errors.\n`;
    expect(parseDiagnostics(output)).toEqual([
      { file: 'a b.ts', line: 1, column: 2, code: 'TS1', message: 'One. Because. Of that.' },
      { file: undefined, line: 0, column: 0, code: 'TS2', message: 'Two.' },
    ]);
  });
});

describe('what is said of a function that', () => {
  const IMPORTS = `import { count, entity, featureView, latest, onDemandView as onDemand, parquet, t } from 'headrace';
const rides = parquet('rides', { path: 'x', columns: { id: t.string(), fare: t.float64(), at: t.timestamp() }, eventTime: 'at' });
export const spent = featureView('spent', { entity: entity('e', { keys: { id: t.string() } }), source: rides, features: { last_fare: latest('fare'), n: count().over('1d') } });
const inputs = { request: { fare: t.float64(), miles: t.float64() }, spent };
`;

  const ride = (transform: string, features: string): string =>
    `export const ride = onDemand('ride', { inputs, features: ${features},\n${transform} });`;
  const derived = (by: string): string => `export const more = parquet('more', {
path: 'x', columns: { id: t.string(), fare: t.float64(), at: t.timestamp() }, eventTime: 'at',
derive: { tip: [t.float64(), ${by}] } });`;

  const OF = 'the transform of on-demand view "ride"';
  const NULL = 'may be null, as every value may. Test it first, or put a value in its place with ??';
  const GIVE = 'Give that, or declare another type';

  /** What it is, what is written, and what is said of it, as `= line:column: message` with lines from its own first. */
  const CASES = `
# returns under a misspelt name
transform: ({ request }) => ({ fare_per_mil: request.fare })
= 2:32: ${OF} returns "fare_per_mil", which is none of its features. Did you mean "fare_per_mile"?
# returns under a name that is far from the only one that is missing
transform: ({ request }) => ({ fare_per_km: request.fare })
= 2:32: ${OF} returns "fare_per_km", which is none of its features. Did you mean "fare_per_mile"?
# returns under a misspelt name, from a block
transform: ({ request }) => {
if (request.fare == null) return { fare_per_mile: null };
return { fare_per_mil: request.fare }; }
= 4:10: ${OF} returns "fare_per_mil", which is none of its features. Did you mean "fare_per_mile"?
# returns under one name too many
transform: ({ request }) => ({ fare_per_mile: 1, extra: request.fare })
= 2:50: ${OF} returns "extra", which is none of its features. Its features: fare_per_mile. Declare it among them, or leave it out
# returns without a feature
transform: () => ({})
= 2:19: ${OF} returns no "fare_per_mile". Return it, as null where it has no value, or take it out of its features
# returns from a function that is declared elsewhere
transform: compute });
function compute(_: object) { return { fare_per_km: 1 }; } void ({
= 2:1: ${OF} returns "fare_per_km", which is none of its features. Did you mean "fare_per_mile"?
# returns as text where a number is declared
transform: () => ({ fare_per_mile: 'x' })
= 2:21: ${OF} gives "fare_per_mile" as string; it is declared as t.float64(), which is number. ${GIVE}
# returns several features wrong, told one by one
features: { fare_per_mile: t.float64(), c: t.string(), d: t.bool() }
transform: () => ({ fare_per_mil: 1, c: 1n, e: 1 })
= 2:21: ${OF} returns "fare_per_mil", which is none of its features. Did you mean "fare_per_mile"?
= 2:38: ${OF} gives "c" as bigint; it is declared as t.string(), which is string. ${GIVE}
= 2:45: ${OF} returns "e", which is none of its features. Did you mean "d"?
# reads a column of the request that is not there
transform: ({ request }) => ({ fare_per_mile: request.fares })
= 2:55: ${OF}: input "request" has no column "fares". Did you mean "fare"?
# reads a column of the request that is far from any name
transform: (all) => ({ fare_per_mile: all.request.xyz })
= 2:51: ${OF}: input "request" has no column "xyz". The columns: fare, miles.
# reads a feature of a view that is not there
transform: ({ spent }) => ({ fare_per_mile: spent.last_fair })
= 2:51: ${OF}: input "spent" has no feature "last_fair". Did you mean "last_fare"?
# reads an input that is not there
transform: ({ requests }) => ({ fare_per_mile: 1 })
= 2:15: ${OF} has no input "requests". Did you mean "request"?
# reads a column of a row that is not there
derive: (row) => row.fore
= 3:43: derived column "tip" of source "more": the row has no column "fore". Did you mean "fare"?
# reads what may be null
transform: ({ request }) => ({ fare_per_mile: request.fare == null ? null : request.fare / request.miles })
= 2:92: ${OF}: request.miles ${NULL}
# reads what may be null, and is handed on
transform: ({ request }) => ({ fare_per_mile: Math.floor(request.fare) })
= 2:58: ${OF}: request.fare ${NULL}
# reads what may be null, and is asked for a member
transform: ({ request }) => ({ fare_per_mile: Number(request.fare.toFixed(2)) })
= 2:54: ${OF}: request.fare ${NULL}
# reads what may be null, of a row that is asked for a member
derive: (row) => row.id.length
= 3:39: derived column "tip" of source "more": row.id ${NULL}
# reads what may be null, and is taken apart where it is given
transform: ({ request: { fare } }) => ({ fare_per_mile: fare * 2 })
= 2:57: ${OF}: fare ${NULL}
# hands on null by a condition that only tests what may be null
transform: ({ request }) => ({ fare_per_mile: Math.floor(request.fare === 1 ? null : 2) })
~ ^2:\\d+: Argument of type .*TS2345
# calls a parameter of an inner function as its own
transform: ({ request }) => {
const half = (request: { fare: number | null }) => Math.floor(request.fare);
const twice = (request: { fare: number | null }) => request.fare * 2;
return { fare_per_mile: request.fare === null ? null : half({ fare: 1 }) + twice({ fare: 1 }) }; }
= 3:63: Argument of type 'number | null' is not assignable to parameter of type 'number'. Type 'null' is not assignable to type 'number'. (TS2345)
= 4:53: 'request.fare' is possibly 'null'. (TS18047)
# derives a column of another type, told with both
derive: (row) => row.id
= 3:30: derived column "tip" of source "more" gives string; it is declared as t.float64(), which is number. ${GIVE}
# has any other mistake, in the compiler’s words with types that can be read
transform: ({ request }) => { const n: string = request; return { fare_per_mile: Number(n) }; }
= 2:37: Type '{ fare: float64; miles: float64; }' is not assignable to type 'string'. (TS2322)`
    .split('\n# ')
    .slice(1)
    .map((block) => {
      const [what = '', ...lines] = block.split('\n');
      const said = lines
        .filter((line) => /^[=~] /.test(line))
        .map((line) => {
          return line.startsWith('=') ? line.slice(2) : expect.stringMatching(new RegExp(line.slice(2)));
        });
      const [first = '', ...rest] = lines.filter((line) => !/^[=~] /.test(line));
      if (first.startsWith('derive: ')) return [what, derived(first.slice(8)), said] as const;
      const [, features] = /^features: (.*)/.exec(first) ?? [];
      const transform = (features === undefined ? [first, ...rest] : rest).join('\n');
      return [what, ride(transform, features ?? '{ fare_per_mile: t.float64() }'), said] as const;
    });

  // All of them are one repository, so that the compiler runs once.
  const check = async (): Promise<ReadonlyMap<string, readonly string[]>> => {
    const files = Object.fromEntries(CASES.map(([, code], at) => [`case${at}.ts`, `${IMPORTS}${code}`]));
    const folder = await writeRepository(files);
    const { details } = await failureOf(typeCheck({ repoDirectory: folder, configDirectory: folder }));
    const said = new Map<string, string[]>();
    for (const { file = '', line = 0, column, message } of details)
      said.set(file, [...(said.get(file) ?? []), `${line - 4}:${column}: ${message}`]);
    return said;
  };
  let checked: ReturnType<typeof check> | undefined;

  it.each(CASES.map(([what, , expected], at) => [what, at, expected] as const))('%s', async (_what, at, expected) => {
    const said = await (checked ??= check());
    expect(said.get(`case${at}.ts`)).toEqual(expected);
  });
});

const root = resolve(import.meta.dirname, '../..');

it('the guide’s mistakes are those that its snippet has when it is written so', async () => {
  const guide = await readFile(join(root, 'docs/guides/definitions.md'), 'utf8');
  const [, flights = ''] = /```ts\n\/\/ flights\.ts\n([\s\S]*?)```/.exec(guide) ?? [];
  const [, told = ''] = /```\n(HR_DEFINITION: [\s\S]*?)\n```/.exec(guide) ?? [];
  const wrong = flights
    .replace(`ttl: '30d'`, `tll: '30d'`)
    .replace(`latest('delay')`, `latest('dely')`)
    .replace(`.over('7d', {`, `.over('7 days', {`);
  await expect(loadingError({ 'flights.ts': wrong })).resolves.toMatchObject({
    message: told.replace('HR_DEFINITION: ', ''),
  });
});

/** Guides whose snippets are files of one repository, and the names of their pipelines. */
const GUIDES: readonly (readonly [name: string, pages: readonly string[], pipelines: string])[] = [
  ['definitions', ['definitions.md'], 'train_delay'],
  [
    'pipelines',
    ['definitions.md', 'pipelines.md'],
    'by_country careful_fetch gated judged nightly on_a_cluster retrain train train_delay',
  ],
];
/** What the pipelines' steps travel with. */
const TRAVELLING = { 'train.py': '', 'requirements.txt': '', 'report.ipynb': '{"cells":[]}', 'scripts/check.sh': '' };

it.each(GUIDES)('the snippets of %s are a repository that type-checks and compiles', async (_, pages, pipelines) => {
  const folder = await writeRepository({ ...TRAVELLING, 'package.json': '{"type":"module"}' });
  for (const page of pages) {
    const guide = await readFile(join(root, 'docs/guides', page), 'utf8');
    for (const [, name = '', code = ''] of guide.matchAll(/```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)```/g))
      await writeFiles(folder, { [name]: code });
  }
  const { manifest } = await loadDefinitions(folder, 'guide');
  expect(Object.keys(manifest.endpoints)).toEqual(['delay']);
  expect(Object.keys(manifest.pipelines)).toEqual(pipelines.split(' '));

  await writeFiles(folder, { 'tsconfig.json': JSON.stringify({ compilerOptions: COMPILER_OPTIONS }) });
  expect(compileProject(folder)).toBe('');
});
