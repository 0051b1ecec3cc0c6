// An experiment as it runs on an endpoint: written into the endpoint's state by the same two-phased change as its traffic.

import { type Condition, conditionMistakes, describe, type ErrorDetail } from '../core/index.ts';
import { BUCKETS, type BucketRange } from './bucket-ranges.ts';
import { rangeMistakes } from './range-mistakes.ts';

export interface LiveExperiment {
  readonly name: string;
  /** Weights are fixed within one; from 1 on. */
  readonly phase: number;
  /** With its unit it decides the arm, at whatever endpoint. */
  readonly seed: string;
  /** Request columns. */
  readonly unit: readonly string[];
  /** Who may take part at all, by another seed: fractions, half-open, as GrowthBook's filters. Null is everybody. */
  readonly namespace: {
    readonly seed: string;
    readonly ranges: readonly (readonly [from: number, to: number])[];
  } | null;
  /** On request columns; null is everybody. */
  readonly when: Condition | null;
  readonly arms: readonly ExperimentArm[];
}

export interface ExperimentArm {
  readonly name: string;
  readonly version: number;
  /** Buckets of no arm are not in the experiment. */
  readonly ranges: readonly BucketRange[];
}

/** Of one endpoint: each arm has metrics of its own. */
const MOST_ARMS = 100;
const NAME = /^[A-Za-z][\w.-]{0,62}$/;

/** What can't be run, by its path under `experiments`. Versions are looked for elsewhere. */
export function experimentMistakes(experiments: readonly LiveExperiment[]): ErrorDetail[] {
  const mistakes: ErrorDetail[] = [];
  const count = experiments.reduce((sum, { arms }) => sum + arms.length, 0);
  if (count > MOST_ARMS) {
    const message = `expected at most ${MOST_ARMS} arms of all experiments, got ${count}`;
    return [{ path: 'experiments', message }];
  }
  experiments.forEach((experiment, index) => {
    const path = `experiments[${index}]`;
    const { name, seed, unit, arms, namespace, when } = experiment;
    noteName(name, experiments, index, path, mistakes);
    // An SDK would take the name in its place.
    if (typeof seed !== 'string' || seed === '')
      mistakes.push({ path: `${path}.seed`, message: `expected a seed, got ${describe(seed)}` });
    if (unit.length === 0) mistakes.push({ path: `${path}.unit`, message: 'expected at least one request column' });
    if (when !== null)
      mistakes.push(...conditionMistakes(when, () => undefined).map((message) => ({ path: `${path}.when`, message })));
    if (arms.length === 0) mistakes.push({ path: `${path}.arms`, message: 'expected at least one arm' });
    arms.forEach((arm, place) => noteName(arm.name, arms, place, `${path}.arms[${place}]`, mistakes));
    mistakes.push(
      ...rangeMistakes(
        arms.map(({ ranges }) => ranges),
        BUCKETS,
        `${path}.arms`,
      ),
    );
    if (namespace !== null) mistakes.push(...rangeMistakes([namespace.ranges], 1, `${path}.namespace`));
  });
  return mistakes;
}

function noteName(
  name: unknown,
  all: readonly { readonly name: string }[],
  index: number,
  path: string,
  mistakes: ErrorDetail[],
): void {
  if (typeof name !== 'string' || !NAME.test(name)) {
    mistakes.push({ path: `${path}.name`, message: `expected a name like "control", got ${describe(name)}` });
  } else if (all.findIndex((one) => one.name === name) < index) {
    mistakes.push({ path: `${path}.name`, message: `"${name}" is there twice; each has its own name` });
  }
}
