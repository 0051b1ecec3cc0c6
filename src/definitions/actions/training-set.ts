// A training set as a step.

import { Type } from 'typebox';
import type { Action, AnyNeeds, NotKnown } from '../authoring/action.ts';
import type { AuthoredObject, AuthoredService } from '../authoring/authored.ts';
import { findSlips, type OptionNames, optionsOf } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import { closed, text } from '../compile/schema-parts.ts';
import type { ActionKind } from './action-kind.ts';

export interface TrainingSetOptions {
  readonly service: AuthoredObject<AuthoredService>;
  /** Parquet or CSV file: relative to the feature repository, or absolute. */
  readonly spine: string;
  /** The spine's timestamp column. Default: its only timestamp column that no feature takes. */
  readonly timestamp?: string;
  readonly label?: string;
  readonly labels?: readonly string[];
  /** `before` leaves out what happened at the very time of the row: for labels that are events themselves. */
  readonly boundary?: 'at' | 'before';
}

const TRAINING_SET_OPTIONS: OptionNames<TrainingSetOptions> = {
  service: true,
  spine: true,
  timestamp: true,
  label: true,
  labels: true,
  boundary: true,
};

/** Makes a training set; its result tells the id, path and features. */
export function trainingSet(options: TrainingSetOptions): Action<AnyNeeds, NotKnown> {
  const slips = findSlips(options, TRAINING_SET_OPTIONS, [0], 'trainingSet(…)');
  const { service, spine, timestamp, label, labels, boundary = 'at' } = optionsOf(options);
  if (labels !== undefined && !Array.isArray(labels))
    slips.push({ path: [0, 'labels'], message: "labels of trainingSet(…) must be an array: ['late']" });
  const allLabels = [...(label === undefined ? [] : [label]), ...(Array.isArray(labels) ? labels : [])];
  const given: Given = { service, spine, timestamp, labels: allLabels, boundary };
  return { action: { kind: 'trainingSet', given, slips } };
}

interface Given {
  readonly service: unknown;
  readonly spine: string;
  readonly timestamp: string | undefined;
  readonly labels: readonly string[];
  readonly boundary: 'at' | 'before';
}

export interface TrainingSetSpec {
  readonly kind: 'trainingSet';
  readonly service: string;
  readonly spine: string;
  readonly timestamp?: string;
  readonly labels: readonly string[];
  readonly boundary: 'at' | 'before';
}

export const trainingSetKind: ActionKind<Given, TrainingSetSpec> = {
  kind: 'trainingSet',
  schema: Type.Object(
    {
      kind: Type.Literal('trainingSet'),
      service: text,
      spine: text,
      timestamp: Type.Optional(text),
      labels: Type.Array(text),
      boundary: Type.Enum(['at', 'before']),
    },
    closed,
  ),
  leadsTo: ({ service }) => [service],
  compile({ service: written, spine, timestamp, labels, boundary }, { object, report, text: checkText }) {
    const at = [1, 0];
    const service = object('service', written, 'service', [...at, 'service']);
    if (typeof spine !== 'string' || spine === '') report(': trainingSet(…) needs `spine`: the path of a file', at);
    if (boundary !== 'at' && boundary !== 'before')
      report(`: boundary must be 'at' or 'before', got ${describeResult(boundary)}`, [...at, 'boundary']);
    if (timestamp !== undefined) checkText('timestamp', timestamp, [...at, 'timestamp']);
    for (const label of labels) checkText('a label', label, at);
    return {
      kind: 'trainingSet',
      service: service?.name ?? '',
      spine,
      ...(timestamp === undefined ? {} : { timestamp }),
      labels,
      boundary,
    };
  },
};
