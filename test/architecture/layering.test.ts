import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { checkArchitecture } from './check-architecture.ts';
import { readImports } from './imports.ts';
import { KEPT_APART, MAX_LINES } from './layers.ts';

describe('the architecture', () => {
  it('holds in src/', () => {
    expect(checkArchitecture(resolve(import.meta.dirname, '../../src'))).toEqual([]);
  });

  it('keeps folders apart from files that are there', () => {
    const files = Object.entries(KEPT_APART).flat(2);
    expect(files.filter((file) => !existsSync(resolve(import.meta.dirname, '../../src', file)))).toEqual([]);
  });

  it('is really checked: every planted breach is caught', () => {
    const planted = mkdtempSync(join(tmpdir(), 'headrace-planted-'));
    cpSync(resolve(import.meta.dirname, 'planted/src'), planted, { recursive: true });
    writeFileSync(join(planted, 'core/long.ts'), '// Planted.\n'.repeat(MAX_LINES + 1));
    const breaches = checkArchitecture(planted);
    rmSync(planted, { recursive: true });
    expect(breaches).toEqual([
      'core/clock.ts:3 imports online (level 2) into core (level 0): only lower levels can be imported',
      'core/index.ts:1 has `export *`: name what it exports',
      expect.stringContaining('core/long.ts has 401 lines'),
      'offline/audit/own-facts.ts:2 imports offline/facts/open-facts.ts: offline/audit does without it (KEPT_APART of layers.ts)',
      'offline/audit/own-facts.ts:3 imports offline/sources/sql-text.ts: offline/audit does without it (KEPT_APART of layers.ts)',
      'online/index.ts:1 imports core/clock.ts: import from core/index.ts',
      'registry/index.ts:3 imports online (level 2) into registry (level 2): only lower levels can be imported',
      'serving/index.ts:4 imports registry/store.ts: import from registry/index.ts',
      'unlisted/ has no level: add it to test/architecture/layers.ts',
      expect.stringContaining('imports go in a circle: core/clock.ts → online/index.ts → core/clock.ts'),
    ]);
  });
});

describe('reading imports', () => {
  it('sees every form, over several lines too, and none in comments', () => {
    const source = `
import { a,
  type b } from './one.ts';
import type { c } from './two.ts';
export { type d } from './three.ts';
import './four.ts';
// import './not.ts';
/* import x from './nor.ts'; */
const e = await import('./five.ts');
type F = typeof import('./six.ts');
export const from = 'x'; const s = " import './text.ts'";
export * from './seven.ts';
`;
    expect(readImports(source).map(({ specifier, isTypeOnly, line }) => [specifier, isTypeOnly, line])).toEqual([
      ['./one.ts', false, 2],
      ['./two.ts', true, 4],
      ['./three.ts', true, 5],
      ['./four.ts', false, 6],
      ['./five.ts', false, 9],
      ['./six.ts', true, 10],
      ['./seven.ts', false, 12],
    ]);
  });
});
