// Finds the models among a step's needs: one result with an .onnx file, or an array of them after a `foreach`.

import { HeadraceError } from '../core/index.ts';
import { filesOf } from './step/files.ts';

/** A model that a needed step made: an ONNX file in the object store, and what was measured of it. */
export interface ModelCandidate {
  /** SHA-256 of the ONNX file. */
  readonly artifact: string;
  readonly metrics: Readonly<Record<string, number>>;
  /** The id of the training set that it was made from, when a step before it made one. */
  readonly trainingSet: string | null;
}

/** The models in the needs, in order. Throws HR_STEP_FAILED, in the name of `kind`, when there is none, or one result holds several. */
export function modelCandidates(
  needs: Readonly<Record<string, unknown>>,
  trainingSet: string | null,
  kind = 'registerModel',
): readonly ModelCandidate[] {
  const results = Object.values(needs).flatMap((need) => (Array.isArray(need) ? need : [need]));
  const candidates = results.flatMap((result) => candidateOf(result, trainingSet, kind));
  if (candidates.length > 0) return candidates;
  throw new HeadraceError(
    'HR_STEP_FAILED',
    `${kind} needs a step whose result comes with an .onnx file; write one into HEADRACE_STEP_OUTPUT`,
  );
}

function candidateOf(result: unknown, trainingSet: string | null, kind: string): ModelCandidate[] {
  const models = Object.entries(filesOf(result)).filter(([name]) => name.endsWith('.onnx'));
  if (models.length > 1) {
    const names = models.map(([name]) => name).join(', ');
    throw new HeadraceError(
      'HR_STEP_FAILED',
      `${kind} takes one .onnx file of a result, got ${names}; leave the others out of HEADRACE_STEP_OUTPUT, or make each in a task of its own`,
    );
  }
  return models.map(([, { sha256 }]) => ({ artifact: sha256, metrics: metricsOf(result), trainingSet }));
}

/** The numbers under `metrics`; where there is no such member, the result's own. */
function metricsOf(result: unknown): Record<string, number> {
  if (result === null || typeof result !== 'object') return {};
  const from =
    'metrics' in result && result.metrics !== null && typeof result.metrics === 'object' ? result.metrics : result;
  return Object.fromEntries(
    Object.entries(from).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
}
