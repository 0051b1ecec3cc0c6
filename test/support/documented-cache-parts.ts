// The parts of a cache's key as the guide lists them.

import { readFileSync } from 'node:fs';

const GUIDE = new URL('../../docs/guides/pipelines.md', import.meta.url);

/** Those of `parts` that no row of the table of docs/guides/pipelines.md names. */
export function undocumented(parts: Iterable<string>): readonly string[] {
  const [, section = ''] = /\n## Cached steps\n([\s\S]*?)\n## /.exec(readFileSync(GUIDE, 'utf8')) ?? [];
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  const names = rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );
  const known = names.map((name) => {
    const literal = name.replace(/\.…$/, '.REST').replaceAll('.', '\\.');
    return new RegExp(`^${literal.replaceAll(/\b(?:NAME|GROUP|ALIAS|REST)\b/g, '.+')}$`);
  });
  return [...new Set(parts)].filter((part) => !known.some((one) => one.test(part)));
}
