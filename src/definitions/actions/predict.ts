// Batch prediction as a step.

import { Type } from 'typebox';
import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import type { AuthoredEndpoint, AuthoredObject } from '../authoring/authored.ts';
import { findSlips, type OptionNames, optionsOf } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import { isTexts } from '../compile/plain-data.ts';
import { closed, text } from '../compile/schema-parts.ts';
import type { Foreach } from '../pipeline-spec.ts';
import type { ActionKind } from './action-kind.ts';

interface PredictOptions {
  readonly endpoint: AuthoredObject<AuthoredEndpoint>;
  /**
   * Parquet or CSV: a file or glob, relative to the feature repository or absolute, or s3://… `{day}` stands for the run's
   * parameter of that name, `{run}` for its id.
   */
  readonly input: string;
  /** The input's column that says when each row is predicted: features are those known then. */
  readonly timestamp: string;
  /**
   * Whether what happened at a row's very time counts in its features. Default: as in the training set that the version was
   * registered with; 'at' where it was registered without.
   */
  readonly boundary?: 'at' | 'before';
  /** The folder of the output, written as `input` is. Default: one of the run's own in `offline.path`. */
  readonly out?: string;
  /** The variant whose version predicts. Default: the endpoint's only one. */
  readonly variant?: string;
  /** Instead: a version of the endpoint's model by its number or alias. */
  readonly version?: string | number;
  /** Input columns to keep. Default: all. */
  readonly columns?: readonly string[];
  /** Writes the features, too. */
  readonly features?: boolean;
  /** What a row does that can't be predicted: fail the step, or say why in a column `error`. Default: 'fail'. */
  readonly onError?: 'fail' | 'column';
  readonly format?: 'parquet' | 'csv';
  /** With `foreach: range(n)`: so many slices of the rows, each item's own, in a folder of its own. */
  readonly slices?: number;
}

const PREDICT_OPTIONS: OptionNames<PredictOptions> = {
  endpoint: true,
  input: true,
  timestamp: true,
  boundary: true,
  out: true,
  variant: true,
  version: true,
  columns: true,
  features: true,
  onError: true,
  format: true,
  slices: true,
};

/** Predicts all rows of a file as the endpoint would; its result tells the folder, the parts and the version. */
export function predict(options: PredictOptions): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, PREDICT_OPTIONS, [0], 'predict(…)');
  const given: Given = { ...optionsOf(options) };
  return { action: { kind: 'predict', given, slips } };
}

/** As it may come from plain JavaScript. */
type Given = { readonly [Option in keyof PredictOptions]: unknown };

export interface PredictSpec {
  readonly kind: 'predict';
  readonly endpoint: string;
  readonly input: string;
  readonly timestamp: string;
  readonly boundary?: 'at' | 'before';
  readonly out?: string;
  readonly variant?: string;
  readonly version?: string;
  readonly columns?: readonly string[];
  readonly features?: true;
  readonly onError: 'fail' | 'column';
  readonly format: 'parquet' | 'csv';
  readonly slices?: number;
}

const MOST_SLICES = 100_000;

export const predictKind: ActionKind<Given, PredictSpec> = {
  kind: 'predict',
  isEffect: true,
  schema: Type.Object(
    {
      kind: Type.Literal('predict'),
      endpoint: text,
      input: text,
      timestamp: text,
      boundary: Type.Optional(Type.Enum(['at', 'before'])),
      out: Type.Optional(text),
      variant: Type.Optional(text),
      version: Type.Optional(text),
      columns: Type.Optional(Type.Array(text)),
      features: Type.Optional(Type.Literal(true)),
      onError: Type.Enum(['fail', 'column']),
      format: Type.Enum(['parquet', 'csv']),
      slices: Type.Optional(Type.Integer({ minimum: 1, maximum: MOST_SLICES })),
    },
    closed,
  ),
  leadsTo: ({ endpoint }) => [endpoint],
  compile(given, { object, foreach, report, text: checkText }) {
    const at = (option: keyof PredictOptions) => [1, 0, option];
    const endpoint = object('endpoint', given.endpoint, 'endpoint', at('endpoint'));
    const textOf = (option: 'input' | 'timestamp' | 'out' | 'variant'): string | undefined => {
      const value = given[option];
      if (value === undefined && (option === 'out' || option === 'variant')) return undefined;
      checkText(option, value, at(option));
      return typeof value === 'string' ? value : undefined;
    };
    const oneOf = <T extends string>(option: 'boundary' | 'onError' | 'format', known: readonly [T, T]): T => {
      const value = given[option] ?? known[0];
      const found = known.find((one) => one === value);
      if (found === undefined)
        report(`: ${option} must be '${known[0]}' or '${known[1]}', got ${describeResult(value)}`, at(option));
      return found ?? known[0];
    };
    const [out, variant] = [textOf('out'), textOf('variant')];
    const { version, columns, features, slices } = given;
    const isVersion = typeof version === 'string' ? version !== '' : Number.isInteger(version) && Number(version) > 0;
    if (version !== undefined && !isVersion)
      report(`: version must be a number or an alias, got ${describeResult(version)}`, at('version'));
    if (version !== undefined && given.variant !== undefined)
      report(': predict(…) takes either `variant` or `version`. Take one of them out', at('version'));
    const hasColumns = columns !== undefined && isTexts(columns) && columns.length > 0;
    if (columns !== undefined && !hasColumns)
      report(
        `: columns must be an array of the input's columns: ['id'], got ${describeResult(columns)}`,
        at('columns'),
      );
    if (features !== undefined && typeof features !== 'boolean')
      report(`: features must be true or false, got ${describeResult(features)}`, at('features'));
    const hasSlices = typeof slices === 'number' && Number.isInteger(slices) && slices >= 1 && slices <= MOST_SLICES;
    if (slices !== undefined && !hasSlices)
      report(`: slices must be a whole number from 1 to ${MOST_SLICES}, got ${describeResult(slices)}`, at('slices'));
    else if (hasSlices && !isEachOnce(foreach, slices))
      report(
        `: slices: ${slices} goes with foreach: range(${slices}), whose items are the slices: each row is in one of them. Let it run over that`,
        at('slices'),
      );
    return {
      kind: 'predict',
      endpoint: endpoint?.name ?? '',
      input: textOf('input') ?? '',
      timestamp: textOf('timestamp') ?? '',
      ...(given.boundary === undefined ? {} : { boundary: oneOf<'at' | 'before'>('boundary', ['at', 'before']) }),
      ...(out === undefined ? {} : { out }),
      ...(variant === undefined ? {} : { variant }),
      ...(isVersion ? { version: String(version) } : {}),
      ...(hasColumns ? { columns } : {}),
      ...(features === true ? { features } : {}),
      onError: oneOf('onError', ['fail', 'column']),
      format: oneOf('format', ['parquet', 'csv']),
      ...(hasSlices ? { slices } : {}),
    };
  },
};

/** Whether a step runs over each number from 0 up to `slices` once; of another step's result that is not known before. */
function isEachOnce(foreach: Foreach | undefined, slices: number): boolean {
  switch (foreach?.kind) {
    case 'result':
      return true;
    case 'range':
      return foreach.start === 0 && foreach.end === slices;
    case 'items':
      return (
        foreach.items.length === slices &&
        foreach.items.toSorted((a, b) => Number(a) - Number(b)).every((item, at) => item === at)
      );
    default:
      return false;
  }
}
