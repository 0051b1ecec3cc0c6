// The feature repository as it is on disk: its files loaded and its types checked, side by side.

import type { App } from '../../app/index.ts';
import { type ErrorDetail, HeadraceError, toHeadraceError } from '../../core/index.ts';
import type { Definitions } from '../../definitions/index.ts';

/** Throws HR_DEFINITION with the mistakes of both, each told once. */
export async function checkRepository(app: App): Promise<Definitions> {
  const { typeCheck } = await import('../../definitions/index.ts');
  const { directory, values } = app.config;
  const [loaded, types] = await Promise.allSettled([
    app.repository(),
    typeCheck({ repoDirectory: values.repo, configDirectory: directory }),
  ]);
  if (loaded.status === 'fulfilled' && types.status === 'fulfilled') return loaded.value;
  const mistakesOf = (result: PromiseSettledResult<unknown>): readonly ErrorDetail[] => {
    if (result.status === 'fulfilled') return [];
    const error = toHeadraceError(result.reason);
    if (error.code !== 'HR_DEFINITION' || error.details.length === 0) throw error;
    return error.details;
  };
  const details = toldOnce(mistakesOf(loaded), mistakesOf(types));
  throw new HeadraceError('HR_DEFINITION', 'the feature repository has mistakes', { details });
}

/** Of one line the loader has the better sentence; where it names the file alone, the compiler has the better place. */
function toldOnce(loaded: readonly ErrorDetail[], types: readonly ErrorDetail[]): readonly ErrorDetail[] {
  const isPlaced = ({ file, line }: ErrorDetail): boolean =>
    line !== undefined || !types.some((one) => one.file === file);
  const kept = loaded.filter(isPlaced);
  const isTold = (one: ErrorDetail): boolean =>
    kept.some(({ file, line }) => file !== undefined && file === one.file && line === one.line);
  return [...kept, ...types.filter((one) => !isTold(one))];
}
