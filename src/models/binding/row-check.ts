// What keeps a row of feature values from a model, found before the row is queued: nothing later may fail on it.

import { HeadraceError, type Value } from '../../core/index.ts';
import type { ColumnPlan, InputPlan } from './binding-plan.ts';

/** `isUnknown` tells of a feature that is null whether that is since nothing is known of the key that the row came with. */
export type RowCheck = (
  values: readonly Value[],
  isUnknown?: (feature: number) => boolean,
) => HeadraceError | undefined;

/** Looks only at the features whose tensors can't take every value. */
export function compileRowCheck(inputs: readonly InputPlan[]): RowCheck {
  const checked = inputs
    .filter(({ type }) => !isFloat(type))
    .flatMap(({ name, type, columns }) => columns.map((column) => ({ ...column, input: name, type })))
    .filter(({ type, standIn }) => type === 'string' || standIn === null);
  if (checked.length === 0) return () => undefined;
  return (values, isUnknown) => {
    let unknown: HeadraceError | undefined;
    for (const { feature, field, standIn, input, type } of checked) {
      const value = values[feature] ?? standIn;
      if (value === null) {
        const takesNone = `input "${input}" (${type}) takes no null`;
        if (isUnknown?.(feature) !== true) {
          const sentence = `feature "${field.name}" is null, and ${takesNone}. Declare a default: \`.default(…)\`.`;
          return new HeadraceError('HR_NULL_FEATURE', sentence);
        }
        unknown ??= new HeadraceError(
          'HR_UNKNOWN_ENTITY',
          `nothing is known of this row’s key, so that feature "${field.name}" is null, and ${takesNone}. Send a key that is known, or declare a default: \`.default(…)\`.`,
        );
      } else if (type === 'string') {
        const mistake = textMistake(value as string, field);
        if (mistake !== undefined) return mistake;
      }
    }
    return unknown;
  };
}

export function isFloat(type: InputPlan['type']): boolean {
  return type === 'float32' || type === 'float64' || type === 'float16';
}

// The runtime would cut the text at a NUL, or take another character for half a pair, and predict for another value.
function textMistake(text: string, field: ColumnPlan['field']): HeadraceError | undefined {
  if (text.includes('\0'))
    return new HeadraceError(
      'HR_INVALID',
      `feature "${field.name}" holds a NUL character, which no model can take. Remove it.`,
    );
  if (!text.isWellFormed())
    return new HeadraceError(
      'HR_INVALID',
      `feature "${field.name}" holds half of a surrogate pair, which is no text. Send well-formed Unicode.`,
    );
  return undefined;
}
