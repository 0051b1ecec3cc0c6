import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { loadDefinitions } from '../../src/definitions/index.ts';
import { loadingError } from '../support/written-repository.ts';

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
const GUIDES = [
  ['definitions', ['definitions.md'], ['train_delay']],
  [
    'pipelines',
    ['definitions.md', 'pipelines.md'],
    ['by_country', 'careful_fetch', 'gated', 'judged', 'nightly', 'on_a_cluster', 'retrain', 'train', 'train_delay'],
  ],
] as const;
/** What the pipelines' steps travel with. */
const TRAVELLING = {
  'train.py': '',
  'requirements.txt': '',
  'report.ipynb': '{"cells":[]}',
  'scripts/check.sh': '',
};

it.each(GUIDES)(
  'the snippets of %s are a feature repository that type-checks and compiles',
  async (_, pages, pipelines) => {
    const folder = await mkdtemp(join(tmpdir(), 'headrace-guide-'));
    try {
      for (const page of pages) {
        const guide = await readFile(join(root, 'docs/guides', page), 'utf8');
        for (const [, name = '', code = ''] of guide.matchAll(/```ts\n\/\/ (\S+\.ts)\n([\s\S]*?)```/g))
          await writeFile(join(folder, name), code);
      }
      await mkdir(join(folder, 'scripts'));
      for (const [name, text] of Object.entries(TRAVELLING)) await writeFile(join(folder, name), text);
      const { manifest } = await loadDefinitions(folder, 'guide');
      expect(Object.keys(manifest.endpoints)).toEqual(['delay']);
      expect(Object.keys(manifest.pipelines)).toEqual(pipelines);

      await writeFile(join(folder, 'package.json'), '{"type":"module"}');
      const compilerOptions = {
        strict: true,
        noUncheckedIndexedAccess: true,
        target: 'es2024',
        lib: ['es2024', 'esnext.array'],
        module: 'nodenext',
        noEmit: true,
        allowImportingTsExtensions: true,
        skipLibCheck: true,
        types: ['node'],
        typeRoots: [join(root, 'node_modules/@types')],
        paths: { headrace: [join(root, 'src/index.ts')] },
      };
      await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
      const tsc = join(createRequire(import.meta.url).resolve('typescript/package.json'), '../bin/tsc');
      const output = await new Promise<string>((done) => {
        execFile(process.execPath, [tsc, '-p', folder], (_error, stdout) => done(stdout));
      });
      expect(output).toBe('');
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
);
