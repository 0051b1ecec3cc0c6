// The dead letters of a file, as a test looks at them.

import { existsSync, readFileSync } from 'node:fs';

/** In their order; none where there is no such file. */
export function readDeadLetters(path: string): Readonly<Record<string, unknown>>[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}
