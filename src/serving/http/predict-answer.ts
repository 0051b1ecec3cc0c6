// What a prediction's body asks, and the answer's text: checked by parsers compiled per endpoint and written by writers
// compiled per arm, so no schema is looked at per request.

import {
  type Actor,
  describe,
  type HeadraceError,
  type Int64Form,
  invalid,
  nearestName,
  type Scope,
} from '../../core/index.ts';
import { presentTimings } from '../arm-timing.ts';
import type { DataPlane } from '../data-plane.ts';
import type { PredictAnswer, PredictionRow } from '../predict.ts';
import { isSentRows } from '../sent-rows.ts';
import { rowProblem } from './problem.ts';

/** What is made of an answer. */
export type WriteAnswer<T> = (answer: PredictAnswer, returnsFeatures: boolean, actor: Actor) => T;

/** The native API's text. */
export const WRITE_JSON: Readonly<Record<Int64Form, WriteAnswer<string>>> = {
  number: (answer, returnsFeatures, actor) => writeAnswer(answer, returnsFeatures, actor, 'number'),
  text: (answer, returnsFeatures, actor) => writeAnswer(answer, returnsFeatures, actor, 'text'),
};

/**
 * The answer as `write` makes it. `sent`: the options of a body that can hold none. `forced`: as `PredictOptions` has it. `scope` is asked once the body is what it should be; `tellRows` hears of rows that failed where the
 * others are answered. Throws HR_INVALID, and what predicting throws.
 */
export async function answerPredict<T>(
  dataPlane: DataPlane,
  endpoint: string,
  body: unknown,
  scope: () => Scope,
  tellRows: (errors: readonly HeadraceError[]) => void,
  write: WriteAnswer<T>,
  sent: () => PredictBodyOptions = () => NO_OPTIONS,
  forced?: string,
): Promise<T> {
  const { inputs, read, claim } = readBody(dataPlane, endpoint, body, scope, sent);
  const answer = await dataPlane.predict(endpoint, inputs, forced === undefined ? read : { ...read, forced }, claim);
  if (read.isPartial) {
    const errors = answer.rows.flatMap(({ error }) => error ?? []);
    if (errors.length > 0) tellRows(errors);
  }
  return write(answer, read.returnsFeatures, claim.actor);
}

/** What is refused here never comes to the endpoint, and is counted for it all the same. */
function readBody(
  dataPlane: DataPlane,
  endpoint: string,
  body: unknown,
  scope: () => Scope,
  sent: () => PredictBodyOptions,
): { readonly inputs: unknown; readonly read: PredictBodyOptions; readonly claim: Scope } {
  try {
    if (isSentRows(body)) return { inputs: body, read: sent(), claim: scope() };
    if (body === null || typeof body !== 'object' || Array.isArray(body))
      throw invalid([{ path: 'body', message: `expected an object, got ${describe(body)}` }]);
    const { inputs, options } = body as { readonly inputs?: unknown; readonly options?: unknown };
    if (inputs === undefined || options === undefined) refuseSlips(body);
    return { inputs, read: options === undefined ? NO_OPTIONS : readOptions(options), claim: scope() };
  } catch (thrown) {
    dataPlane.refused(endpoint, thrown);
    throw thrown;
  }
}

const MEMBERS = ['inputs', 'options'];

/** Other members are left out, but not what was meant to be one of these. */
function refuseSlips(body: object): void {
  const slips = Object.keys(body).flatMap((name) => {
    const meant = MEMBERS.includes(name) ? undefined : nearestName(name, MEMBERS);
    return meant === undefined
      ? []
      : [{ path: name.slice(0, 80), message: `is no member of the body. Did you mean "${meant}"?` }];
  });
  if (slips.length > 0) throw invalid(slips);
}

export interface PredictBodyOptions {
  readonly isPartial: boolean;
  readonly returnsFeatures: boolean;
  readonly returnsTimings: boolean;
}

const NO_OPTIONS: PredictBodyOptions = { isPartial: false, returnsFeatures: false, returnsTimings: false };
const OPTIONS = new Map<string, keyof PredictBodyOptions>([
  ['partial', 'isPartial'],
  ['return_features', 'returnsFeatures'],
  ['return_timings', 'returnsTimings'],
]);

function readOptions(options: unknown): PredictBodyOptions {
  if (options === null || typeof options !== 'object' || Array.isArray(options))
    throw invalid([{ path: 'options', message: `expected an object, got ${describe(options)}` }]);
  const read = { ...NO_OPTIONS };
  for (const [name, value] of Object.entries(options)) {
    const path = `options.${name}`;
    const known = OPTIONS.get(name);
    if (known === undefined) {
      const names = [...OPTIONS.keys()].join(', ');
      throw invalid([{ path, message: `is not a known option; there are ${names}` }]);
    }
    if (typeof value !== 'boolean')
      throw invalid([{ path, message: `expected true or false, got ${describe(value)}` }]);
    read[known] = value;
  }
  return read;
}

function writeAnswer(
  { plan, rows, timings }: PredictAnswer,
  returnsFeatures: boolean,
  actor: Actor,
  int64: Int64Form,
): string {
  let text = plan.answerStart;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as PredictionRow;
    if (i > 0) text += ',';
    text +=
      row.error === undefined
        ? row.arm.write[int64](row.id, row.row, returnsFeatures)
        : JSON.stringify({ error: rowProblem(row.error, `inputs[${i}]`, actor) });
  }
  return timings === undefined ? `${text}]}` : `${text}],"timings":${JSON.stringify(presentTimings(timings))}}`;
}
