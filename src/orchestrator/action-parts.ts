// A step's code part by part, so that two of them differ in what was changed: each file that travels with it is one.

import type { Json } from '../core/index.ts';
import type { StepAction } from '../definitions/index.ts';

/** 'script', 'args', 'files.train.py' with its hash. */
export function actionParts(action: StepAction): readonly (readonly [string, Json])[] {
  const { files, ...others } = { files: undefined, ...action };
  return [
    ...Object.entries(others as unknown as Readonly<Record<string, Json>>),
    ...(files ?? []).map(({ path, hash }) => [`files.${path}`, hash] as const),
  ];
}
