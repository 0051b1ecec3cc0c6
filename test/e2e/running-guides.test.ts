// The guides on sizing and on recovery, typed from top to bottom beside a server that runs, and what the guides on containers, services
// and clusters say held against the files that they speak of.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SETTINGS, environmentName } from '../../src/app/index.ts';
import { deployFile } from '../support/deploy-files.ts';
import { runGuide } from '../support/run-guide.ts';
import { serveGuide } from '../support/served-guide.ts';
import { headraceJson } from '../support/serving-project.ts';

const ROOT = join(import.meta.dirname, '../..');
const guide = (name: string): string => readFileSync(join(ROOT, 'docs/guides', name), 'utf8');

describe('the guide on sizing', () => {
  const sizing = serveGuide('sizing.md');

  it('asks a server for what it goes by', { timeout: 120_000 }, async () => {
    const { HEADRACE_URL: url = '' } = sizing.environment();
    await fetch(`${url}/v1/endpoints/checkout/predict`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"inputs":[{"customer":"ada","amount":1}]}',
    });
    expect(sizing.type()).toBe(1);
  });

  it('has figures that the benchmarks have', () => {
    const benchmarks = readFileSync(join(ROOT, 'docs/benchmarks.md'), 'utf8');
    const rest = / (\d+ MB, of which \d+ MB its own pages) \|/.exec(guide('sizing.md'))?.[1] ?? 'none at rest';
    const later = /\| after a million predictions \| (\d+ MB)/.exec(guide('sizing.md'))?.[1] ?? 'none later';
    expect(benchmarks).toContain(`| at rest | ${rest} |`);
    expect(/\| memory over 1,000,000 predictions \|[^|]*/.exec(benchmarks)?.[0]).toContain(` ${later}`);
    expect(benchmarks).toContain('134-byte records');
    expect(guide('sizing.md')).toContain('134');
  });
});

describe('the guide on recovery', () => {
  const recovery = serveGuide('disaster-recovery.md');

  it('brings a project back at another place, with what it read', { timeout: 240_000 }, () => {
    const project = recovery.project();
    const ask = ['features', 'get', '--service', 'numbers', '--rows', '[{"customer":"ada"}]'];
    const before = headraceJson(project, ask) as { readonly rows: readonly { readonly features: object }[] };
    runGuide(recovery.path, project);
    const place = project.file('recovered');
    const recovered = {
      HEADRACE_REGISTRY_URL: `sqlite:${place}/registry.db`,
      HEADRACE_ARTIFACTS_URL: `file:${place}/artifacts`,
      HEADRACE_ONLINE_URL: `lmdb:${place}/online`,
      HEADRACE_PUSH_LOG_PATH: `${place}/push-log`,
      HEADRACE_OFFLINE_PATH: `${place}/offline`,
    };
    const after = headraceJson(project, ask, recovered) as typeof before;
    expect(after.rows[0]?.features).toEqual(before.rows[0]?.features);
    expect(before.rows[0]?.features).toMatchObject({ history__purchases_1d: 2 });
    expect(headraceJson(project, ['models', 'list'], recovered)).toEqual(headraceJson(project, ['models', 'list']));
  });
});

describe('what the guides on running it say', () => {
  const pages = ['docker.md', 'systemd.md', 'kubernetes.md', 'sizing.md', 'disaster-recovery.md'];
  const files = (readdirSync(join(ROOT, 'deploy'), { recursive: true }) as string[]).map((path) => `deploy/${path}`);

  it.each(pages)('%s names files of deploy/ that there are', (page) => {
    for (const [, path = ''] of guide(page).matchAll(/\b(deploy\/[\w./-]+\w)/g))
      expect(existsSync(join(ROOT, path)) || path === 'deploy/docker/.env', path).toBe(true);
  });

  it.each(pages)('%s links to pages and parts of them that there are', (page) => {
    for (const [, path = '', anchor] of guide(page).matchAll(/\]\(([^)#:]*)(?:#([^)]*))?\)/g)) {
      const target = path === '' ? page : path;
      const at = join(ROOT, 'docs/guides', target);
      expect(existsSync(at), target).toBe(true);
      if (anchor === undefined) continue;
      const anchors = [...readFileSync(at, 'utf8').matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
        title
          .toLowerCase()
          .replaceAll(/[^\p{L}\p{N} -]/gu, '')
          .replaceAll(' ', '-'),
      );
      expect(anchors, `${target}#${anchor}`).toContain(anchor);
    }
  });

  it.each(pages)('%s names settings that there are', (page) => {
    const others = ['HEADRACE_IMAGE', 'HEADRACE_FOLDER', 'HEADRACE_ADDRESS', 'HEADRACE_URL', 'HEADRACE_'];
    const known = new Set([...SETTINGS.map(({ key }) => environmentName(key)), ...others]);
    for (const [name] of guide(page).matchAll(/\bHEADRACE_[A-Z_0-9]*/g)) expect(known, name).toContain(name);
    const keys = new Set(SETTINGS.map(({ key }): string => key));
    for (const [, name = ''] of guide(page).matchAll(
      /`((?:server|pushLog|predictionLog|models|online|offline)\.\w+)`/g,
    ))
      expect(keys, name).toContain(name);
  });

  it('tells of every folder of it', () => {
    const text = pages.map(guide).join('');
    for (const path of files.filter((one) => /^deploy\/[^/]+$/.test(one))) expect(text).toContain(path);
  });

  it('gives the places that the unit has', () => {
    const unit = deployFile('systemd/headrace.service');
    const text = guide('systemd.md');
    for (const path of ['/opt/headrace', '/srv/headrace', '/etc/headrace/headrace.env']) {
      expect(unit).toContain(path);
      expect(text).toContain(path);
    }
    expect(unit).toContain('StateDirectory=headrace\n');
  });
});
