// What is told of a feature view that is not there.

import { didYouMeanOf, HeadraceError } from '../../core/index.ts';

/** `known`: names of those that could be asked for. */
export function unknownFeatureView(name: string, known: readonly string[]): HeadraceError {
  const sentence = `there is no feature view "${name.slice(0, 200)}".${didYouMeanOf('views', name, known)}`;
  return new HeadraceError('HR_UNKNOWN_VIEW', sentence);
}
