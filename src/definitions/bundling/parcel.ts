// What travels with one step, as it is gathered: texts by their paths in the repository, within limits.

import { isAbsolute } from 'node:path';
import { compareTexts, HeadraceError, sha256Hex } from '../../core/index.ts';
import type { AppliedFile } from '../manifest.ts';

/** More of it than this is no code of the team's own. */
const MOST_FILES = 1000;
/** Of all that travel with a step: each is kept in the artifact store, and fetched by whoever runs it. */
const MOST_BYTES_IN_ALL = 10e6;

export class Parcel {
  readonly texts = new Map<string, string>();
  readonly #step: string;
  readonly #pipeline: string;
  #bytes = 0;

  constructor(step: string, pipeline: string) {
    this.#step = step;
    this.#pipeline = pipeline;
  }

  /** Throws HR_DEFINITION where it is too much. */
  add(path: string, text: string): void {
    if (this.texts.has(path)) return;
    this.texts.set(path, text);
    this.#bytes += Buffer.byteLength(text);
    if (this.#bytes <= MOST_BYTES_IN_ALL) return;
    const much = `brings more than ${MOST_BYTES_IN_ALL / 1e6} MB with it, and that much does not travel`;
    throw this.unfit(`${much}. Let data come by a training set, or by an absolute path in args.`);
  }

  refuseOutside(paths: readonly string[]): void {
    const outside = paths.find((path) => isAbsolute(path) || path.split('/').includes('..'));
    if (outside !== undefined)
      throw this.unfit(`takes ${outside}, which is outside the feature repository. Move it there.`);
  }

  /** Of the Python files in a script's folder. */
  refuseMany(count: number, folder: string): void {
    if (count <= MOST_FILES) return;
    const where = folder === '.' ? 'the feature repository' : folder;
    const many = `brings ${count} Python files with it, all that lie in ${where}; at most ${MOST_FILES} travel`;
    throw this.unfit(`${many}. Move the script and what it imports into a folder of their own.`);
  }

  /** `among`: what is among them that may be left out. */
  refuseManyNamed(among: string): void {
    if (this.texts.size <= MOST_FILES) return;
    const many = `brings more than ${MOST_FILES} files with it, ${among} among them`;
    throw this.unfit(`${many}, and no more travel. Name fewer, or put them into one.`);
  }

  /** As the manifest has them. */
  files(): readonly AppliedFile[] {
    const files = [...this.texts].map(([path, text]): AppliedFile => ({ path, hash: sha256Hex(text) }));
    return files.toSorted((a, b) => compareTexts(a.path, b.path));
  }

  unfit(sentence: string, cause?: unknown): HeadraceError {
    return new HeadraceError('HR_DEFINITION', `step "${this.#step}" of pipeline "${this.#pipeline}" ${sentence}`, {
      cause,
    });
  }
}
