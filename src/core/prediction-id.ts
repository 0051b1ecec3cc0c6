// Ids of predictions: unique over processes and restarts, made without asking for randomness each time. What an outcome that
// comes late must be counted by is in them, so that any server can count it without looking anything up.

import { randomBytes } from 'node:crypto';

/** What an id tells of its prediction. */
export interface PredictionFacts {
  /** The endpoint's, by whose traffic it was answered. */
  readonly revision: number;
  /** Of the model: what its unit was assigned, even where another stood in for it. */
  readonly version: number;
  /**
   * FNV-1a over the endpoint's seed and the unit. 0 where there was no unit, or another than the endpoint's weights decided
   * (forced, by rule, held out, in an experiment): outcomes of such weigh for no arm of a rollout.
   */
  readonly unitHash: number;
}

/** The part of an id that all predictions of one revision's version share; made once. */
export type PredictionMark = string & { readonly __brand: 'PredictionMark' };

export type NextPredictionId = (mark: PredictionMark, unitHash: number) => string;

export function predictionMark(revision: number, version: number): PredictionMark {
  // The only place that makes one.
  return `.${revision.toString(36)}.${version.toString(36)}.` as PredictionMark;
}

/** A source of ids: the process's own random prefix and a counter, then revision, version and unit hash, in base 36. */
export function createPredictionIds(prefix: string = randomPrefix()): NextPredictionId {
  let count = 0;
  return (mark, unitHash) => `${prefix}-${(count++).toString(36)}${mark}${unitHash.toString(36)}`;
}

/** A command takes what begins with a dash for an option. */
function randomPrefix(): string {
  for (;;) {
    const prefix = randomBytes(9).toString('base64url');
    if (!prefix.startsWith('-')) return prefix;
  }
}

const ID = /^[\w-]+-[0-9a-z]+\.([0-9a-z]{1,10})\.([0-9a-z]{1,10})\.([0-9a-z]{1,7})$/;

/** Undefined for one that tells nothing: of an earlier release, or of another's making. */
export function readPredictionId(id: string): PredictionFacts | undefined {
  const [, revision, version, unitHash] = ID.exec(id) ?? [];
  if (revision === undefined || version === undefined || unitHash === undefined) return undefined;
  const facts = {
    revision: Number.parseInt(revision, 36),
    version: Number.parseInt(version, 36),
    unitHash: Number.parseInt(unitHash, 36),
  };
  const isSound =
    facts.unitHash < 2 ** 32 && Number.isSafeInteger(facts.revision) && Number.isSafeInteger(facts.version);
  return isSound ? facts : undefined;
}
