// The pages that a run's steps left for people: HTML and Markdown among the files of their results.

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RunResult } from '../orchestrator/index.ts';

export interface RunCard {
  readonly step: string;
  /** The task's place; null where the step has no `foreach`. */
  readonly index: number | null;
  /** The file's name in the step's output folder. */
  readonly name: string;
  readonly sha256: string;
}

/** In the order of steps. One that is passed on in a result counts where it was made. */
export function cardsOf(run: RunResult): readonly RunCard[] {
  const seen = new Set<string>();
  return run.steps.flatMap(({ name: step, result }) => {
    const own: RunCard[] = Array.isArray(result)
      ? result.flatMap((one, index) => pagesOf(one).map((page) => ({ step, index, ...page })))
      : pagesOf(result).map((page) => ({ step, index: null, ...page }));
    const fresh = own.filter(({ sha256, name }) => !seen.has(`${sha256} ${name}`));
    for (const { sha256, name } of own) seen.add(`${sha256} ${name}`);
    return fresh;
  });
}

/** As a line that names them; undefined where there are none. */
export function describeCards(cards: readonly RunCard[]): string | undefined {
  if (cards.length === 0) return undefined;
  const named = cards
    .slice(0, MOST_NAMED)
    .map(({ step, index, name }) => `${step}${index === null ? '' : `[${index}]`} ${name}`);
  const more = cards.length - named.length;
  return `cards: ${named.join(', ')}${more === 0 ? '' : ` and ${more} more`} (--cards FOLDER writes them)`;
}

/** Writes each to `STEP/NAME`, of a step with `foreach` to `STEP/INDEX/NAME`. */
export async function writeCards(
  cards: readonly RunCard[],
  folder: string,
  read: (sha256: string) => Promise<Uint8Array>,
): Promise<void> {
  for (const { step, index, name, sha256 } of cards) {
    const path = join(folder, step, ...(index === null ? [] : [String(index)]), name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, await read(sha256));
  }
}

const MOST_NAMED = 20;

function pagesOf(result: unknown): { name: string; sha256: string }[] {
  if (result === null || typeof result !== 'object' || !('files' in result)) return [];
  const { files } = result;
  if (files === null || typeof files !== 'object') return [];
  return Object.entries(files).flatMap(([name, file]: [string, unknown]) => {
    const isFile = file !== null && typeof file === 'object' && 'sha256' in file;
    // A function's result may name what it likes: nothing outside of the folder is written for it.
    const isWithin = !name.startsWith('/') && !name.split(/[\\/]/).includes('..');
    if (!isFile || !isWithin || !/\.(?:html|md)$/i.test(name)) return [];
    return typeof file.sha256 === 'string' ? [{ name, sha256: file.sha256 }] : [];
  });
}
