import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { typeCheck } from '../../src/definitions/index.ts';
import { parseDiagnostics, runCompiler } from '../../src/definitions/checking/run-compiler.ts';
import { failureOf, type Files, IMPORTS, viewText, writeRepository } from '../support/written-repository.ts';

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
    expect(found.map((one) => one.replace(/: .*\((TS\d+)\)$/, ' $1'))).toEqual([
      'a.ts:1:19 TS7006',
      'a.ts:2:48 TS2322',
      'a.ts:3:32 TS7030',
      'b.ts:1:10 TS1484',
    ]);
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
