// A requirements file with all that it takes in, for what is made of them to be known by all of it.

import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { HeadraceError } from '../../core/index.ts';
import { namedRequirements } from '../../definitions/index.ts';

/** Texts: the file's first, then those of what it names by `-r` and `-c`, each once, in the order named. Throws HR_STEP_FAILED. */
export function readRequirements(file: string): readonly string[] {
  const texts = new Map<string, string>();
  const take = (path: string, namedBy?: string): void => {
    if (texts.has(path)) return;
    const text = read(path, namedBy);
    texts.set(path, text);
    for (const named of namedRequirements(text)) take(resolve(dirname(path), named), path);
  };
  take(resolve(file));
  return [...texts.values()];
}

function read(file: string, namedBy: string | undefined): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    const which = namedBy === undefined ? '' : `, which ${namedBy} takes in,`;
    throw new HeadraceError('HR_STEP_FAILED', `the step's requirements file ${file}${which} cannot be read`, { cause });
  }
}
