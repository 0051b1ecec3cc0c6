// docs/reference/definition-mistakes.md leaves no mistake out: each place in the compile step that tells one is reached by an
// example, and each example has one.

import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { MISTAKES } from '../../scripts/docs/definition-mistakes.ts';
import { definitionMistakesPage, mistakesOfExample } from '../../scripts/docs/definition-mistakes-page.ts';
import type { ErrorDetail } from '../../src/core/index.ts';
import { Mistakes } from '../../src/definitions/compile/mistakes.ts';

const FOLDER = new URL('../../src/definitions/', import.meta.url);
const PARTS = ['compile', 'actions'];

/** Where mistakes are told, as `file:line`. */
function tellingPlaces(): string[] {
  return PARTS.flatMap((part) => readdirSync(new URL(part, FOLDER)).map((file) => `${part}/${file}`))
    .filter((file) => file !== 'compile/mistakes.ts')
    .flatMap((file) =>
      readFileSync(new URL(file, FOLDER), 'utf8')
        .split('\n')
        .flatMap((line, at) => (/(mistakes\.add|(?<!: )\breport)\(/.test(line) ? [`${file}:${at + 1}`] : [])),
    );
}

/**
 * What no example can reach: only beside another mistake, a feature whose name begins with an underscore, can two full names
 * be the same.
 */
const UNREACHED = [/is also that of/];

const reached = new Set<string>();
const examples = MISTAKES.flatMap(({ title, examples: codes }) => codes.map((code) => [title, code] as const));
const told = new Map<string, readonly ErrorDetail[]>();

beforeAll(async () => {
  const add = Mistakes.prototype.add;
  vi.spyOn(Mistakes.prototype, 'add').mockImplementation(function noted(this: Mistakes, ...args) {
    for (const [, file, line] of (new Error('where').stack ?? '').matchAll(
      /\/definitions\/([\w-]+\/[\w-]+\.ts):(\d+)/g,
    ))
      reached.add(`${file}:${line}`);
    add.apply(this, args);
  });
  for (const [, code] of examples) told.set(code, await mistakesOfExample(code));
});
afterAll(() => {
  vi.restoreAllMocks();
});

describe('the page of mistakes', () => {
  it.each(examples)('has one mistake in each example: %s: %s', (_title, code) => {
    expect(told.get(code)).toHaveLength(1);
  });

  it('is what `npm run docs` writes of them', async () => {
    const page = await definitionMistakesPage(async (code) => told.get(code) ?? []);
    expect(readFileSync(new URL('../../docs/reference/definition-mistakes.md', import.meta.url), 'utf8')).toBe(page);
  });

  it('has an example of every mistake there is', () => {
    const places = tellingPlaces();
    expect(places.length).toBeGreaterThan(80);
    const lineOf = (place: string): string => {
      const [file = '', line] = place.split(':');
      return readFileSync(new URL(file, FOLDER), 'utf8')
        .split('\n')
        .slice(Number(line) - 1, Number(line) + 2)
        .join(' ');
    };
    const missing = places.filter(
      (place) => !reached.has(place) && !UNREACHED.some((text) => text.test(lineOf(place))),
    );
    expect(missing).toEqual([]);
  });
});
