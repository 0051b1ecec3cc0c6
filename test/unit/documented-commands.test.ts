// What the README and the guides name is there: commands and their options, npm scripts, pages and parts of them, files of
// deploy/, settings.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { environmentName, SETTINGS } from '../../src/app/index.ts';
import { REFERENCE_PAGES } from '../../scripts/docs/reference-pages.ts';
import { DEPLOY, deployFile } from '../support/deploy-files.ts';
import { hoursModel } from '../support/onnx-model.ts';
import { typeCommand } from '../support/typed-command.ts';

const ROOT = join(import.meta.dirname, '../..');
const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8');
const guide = (name: string): string => read(`docs/guides/${name}`);
const GUIDES = readdirSync(join(ROOT, 'docs/guides')).map((name) => `docs/guides/${name}`);
const PAGES = ['README.md', 'CONTRIBUTING.md', ...GUIDES];
const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };

/** Command lines as the pages show them, in a clone and in a project that has Headrace installed. */
const commands = PAGES.flatMap((page) => {
  const text = read(page).replaceAll(/\\\n\s*/g, ' ');
  const lines = text.matchAll(/^(?:\$ )?npm run -s headrace -- (.+?)(?:\s+#.*)?$/gm);
  return Array.from(lines, ([, line = '']) => ({ page, line }));
});

describe('the README and the guides', () => {
  it('show command lines', () => {
    expect(commands.length).toBeGreaterThan(10);
  });

  it.each(commands)('$page shows a command line that is taken: headrace $line', async ({ line }) => {
    const words = line.match(/'[^']*'|\S+/g) ?? [];
    const end = words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word));
    const path = words.slice(0, end === -1 ? words.length : end);
    const { code, stdout } = await typeCommand(ROOT, [...path, '--help']);
    expect(code).toBe(0);
    // The usage line names the whole command, so a word that was taken for an argument shows.
    expect(stdout).toContain(path[0]);
    for (const option of words.filter((word) => word.startsWith('--'))) expect(stdout).toContain(option.split('=')[0]);
  });

  it.each(['README.md', 'CONTRIBUTING.md'])('%s names only npm scripts that exist', (page) => {
    const named = Array.from(read(page).matchAll(/npm run (?:-s )?([a-z:-]+)/g), ([, name = '']) => name);
    expect(named.length).toBeGreaterThan(0);
    for (const name of named) expect(scripts).toHaveProperty([name]);
  });

  it.each(PAGES)('%s links only to pages, and parts of pages, that exist', (page) => {
    for (const [, path = '', anchor] of read(page).matchAll(/\]\(([^)#:\s]*)(?:#([^)\s]*))?\)/g)) {
      const target = path === '' ? page : join(dirname(page), path);
      expect(existsSync(join(ROOT, target)), target).toBe(true);
      if (anchor === undefined) continue;
      const anchors = Array.from(read(target).matchAll(/^#+ (.*)$/gm), ([, title = '']) =>
        title
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
          .replaceAll(' ', '-'),
      );
      expect(anchors, `${target}#${anchor}`).toContain(anchor);
    }
  });
});

describe('the guides on running it', () => {
  const pages = ['docker.md', 'systemd.md', 'kubernetes.md', 'sizing.md', 'disaster-recovery.md'];
  const keys = new Set(SETTINGS.map(({ key }): string => key));
  const names = new Set([
    ...SETTINGS.map(({ key }) => environmentName(key)),
    'HEADRACE_IMAGE',
    'HEADRACE_FOLDER',
    'HEADRACE_ADDRESS',
    'HEADRACE_URL',
    'HEADRACE_',
  ]);

  it.each(pages)('%s names files of deploy/ and settings that there are', (page) => {
    for (const [, path = ''] of guide(page).matchAll(/\b(deploy\/[\w./-]+\w)/g))
      expect(existsSync(join(ROOT, path)) || path === 'deploy/docker/.env', path).toBe(true);
    for (const [name] of guide(page).matchAll(/\bHEADRACE_[A-Z_0-9]*/g)) expect(names, name).toContain(name);
    const settings = /`((?:server|pushLog|predictionLog|models|online|offline)\.\w+)`/g;
    for (const [, name = ''] of guide(page).matchAll(settings)) expect(keys, name).toContain(name);
  });

  it('name every folder of deploy/', () => {
    const text = pages.map(guide).join('');
    const folders = readdirSync(DEPLOY);
    expect(folders.length).toBeGreaterThan(2);
    for (const folder of folders) expect(text).toContain(`deploy/${folder}`);
  });

  it('give the places that the systemd unit has', () => {
    const unit = deployFile('systemd/headrace.service');
    for (const path of ['/opt/headrace', '/srv/headrace', '/etc/headrace/headrace.env']) {
      expect(unit).toContain(path);
      expect(guide('systemd.md')).toContain(path);
    }
    expect(unit).toContain('StateDirectory=headrace\n');
  });

  it('give the figures that the benchmarks have', () => {
    const [sizing, benchmarks] = [guide('sizing.md'), read('docs/benchmarks.md')];
    const rest = / (\d+ MB, of which \d+ MB its own pages) \|/.exec(sizing)?.[1] ?? 'none at rest';
    const later = /\| after a million predictions \| (\d+ MB)/.exec(sizing)?.[1] ?? 'none later';
    expect(benchmarks).toContain(`| at rest | ${rest} |`);
    expect(/\| memory over 1,000,000 predictions \|[^|]*/.exec(benchmarks)?.[0]).toContain(` ${later}`);
    expect(benchmarks).toContain('134-byte records');
    expect(sizing).toContain('134');
  });
});

// The generated reference pages are what the code says; that of mistakes is held by `definitions-mistakes-page.test.ts`, which has
// each example's mistakes.
const { 'definition-mistakes.md': _elsewhere, ...pages } = REFERENCE_PAGES;

it.each(Object.entries(pages))('docs/reference/%s is what `npm run docs` writes', async (name, page) => {
  expect(readFileSync(new URL(`../../docs/reference/${name}`, import.meta.url), 'utf8')).toBe(await page());
});

it('holds the demo’s broken model to what its README says of it', () => {
  const kept = readFileSync(new URL('../../feature_repo/models/morning.onnx', import.meta.url));
  const { features } = (
    JSON.parse(readFileSync(new URL('../../feature_repo/models/models.json', import.meta.url), 'utf8')) as {
      features: string[];
    }[]
  )[0] as { features: string[] };
  expect(features.indexOf('departure__hour')).toBe(26);
  expect(kept.equals(hoursModel(features.length, 26, 12))).toBe(true);
});
