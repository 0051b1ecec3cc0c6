// Predictions as an Arrow stream of one batch: the outputs' columns, then `prediction_id`, `version` and `variant`; what else an
// answer has is JSON in the schema's metadata, a member a key.

import { type DataType, HeadraceError, type Int64Form, sameType, typeName, type Value } from '../../core/index.ts';
import type { Arm } from '../arm.ts';
import { presentTimings } from '../arm-timing.ts';
import type { EndpointPlan } from '../endpoint-plan.ts';
import { compileObjectWriter, compilePlainTextWriter } from '../json-writer.ts';
import type { PredictAnswer, PredictionRow } from '../predict.ts';
import { BatchBody } from './batch-body.ts';
import { batchMessage, schemaMessage } from './messages.ts';
import type { OutField } from './out-fields.ts';

export interface PredictionColumns {
  readonly returnsFeatures: boolean;
  /** Of int64 among the features, which are JSON. */
  readonly int64: Int64Form;
  /** What a client is told of a row that failed. */
  readonly tell: (error: HeadraceError, place: number) => object;
}

/** Throws HR_UNSUPPORTED where the outputs can't be columns beside these. */
export function writePredictions({ plan, rows, timings }: PredictAnswer, columns: PredictionColumns): Buffer {
  let compiled = plans.get(plan);
  if (compiled === undefined) plans.set(plan, (compiled = compile(plan)));
  const { fields, message, outputs } = compiled;
  // What is in the metadata differs from answer to answer.
  const metadata = metadataOf(plan, rows, columns);
  if (timings !== undefined) metadata['timings'] = JSON.stringify(presentTimings(timings));
  const prefix = schemaMessage([...fields, ...OWN], metadata);
  body.open(prefix, message);
  for (const [at, { type }] of fields.entries()) {
    writeColumn(type, rows, ({ arm, row }) => {
      const place = outputs.get(arm.graph.model)?.[at] ?? -1;
      return place < 0 ? null : (row.outputs[place] ?? null);
    });
  }
  writeColumn(STRING, rows, ({ id }) => id);
  writeColumn(INT32, rows, ({ arm }) => arm.version);
  writeColumn(STRING, rows, ({ arm }) => arm.name);
  return body.take(prefix, message, rows.length);
}

const STRING: DataType = { kind: 'string' };
const INT32: DataType = { kind: 'int32' };
const OWN: readonly OutField[] = [
  { name: 'prediction_id', type: STRING },
  { name: 'version', type: INT32 },
  { name: 'variant', type: STRING },
];

/** One for all endpoints of a process: an answer is written in one go. */
const body = new BatchBody();

interface OutputField {
  readonly name: string;
  readonly type: DataType;
}

interface Compiled {
  readonly fields: readonly OutputField[];
  readonly message: ReturnType<typeof batchMessage>;
  /** Of each model: by field the place of its output, −1 where it has none. */
  readonly outputs: ReadonlyMap<Arm['graph']['model'], readonly number[]>;
}

const plans = new WeakMap<EndpointPlan, Compiled>();

/** The outputs of all versions, each once. */
function compile({ arms, state }: EndpointPlan): Compiled {
  const fields = new Map<string, DataType>(OWN.map(({ name, type }) => [name, type as DataType]));
  for (const { graph } of arms) {
    for (const { name, type } of graph.model.spec.outputs) {
      if (OWN.some((own) => own.name === name))
        throw new HeadraceError(
          'HR_UNSUPPORTED',
          `endpoint "${state.name}" has an output "${name}", which is the name of a column of every Arrow answer. Ask for JSON.`,
        );
      const known = fields.get(name) ?? type;
      if (!sameType(known, type))
        throw new HeadraceError(
          'HR_UNSUPPORTED',
          `the versions that endpoint "${state.name}" serves give output "${name}" as ${typeName(known)} and as ${typeName(type)}, and an Arrow column has one type. Ask for JSON.`,
        );
      fields.set(name, type);
    }
  }
  const own = [...fields].slice(OWN.length).map(([name, type]) => ({ name, type }));
  const placesOf = ({ graph }: Arm) =>
    own.map(({ name }) => graph.model.spec.outputs.findIndex((one) => one.name === name));
  return {
    fields: own,
    message: batchMessage([...own, ...OWN]),
    outputs: new Map(arms.map((arm) => [arm.graph.model, placesOf(arm)])),
  };
}

type Answered = Extract<PredictionRow, { readonly error?: undefined }>;

/** Null where a row failed. */
function writeColumn(type: DataType, rows: readonly PredictionRow[], valueOf: (row: Answered) => Value): void {
  body.begin(type, rows.length);
  for (const row of rows) body.value(type, row.error === undefined ? valueOf(row) : null);
  body.finish(type);
}

function metadataOf(
  { state, model }: EndpointPlan,
  rows: readonly PredictionRow[],
  { returnsFeatures, int64, tell }: PredictionColumns,
): Record<string, string> {
  const metadata: Record<string, string> = { endpoint: JSON.stringify(state.name), model: JSON.stringify(model.name) };
  const byRow = (write: (row: Answered) => string): string =>
    `[${rows.map((row) => (row.error === undefined ? write(row) : 'null')).join(',')}]`;
  if (rows.some((row) => row.error === undefined && row.arm.fallbackFrom !== undefined))
    metadata['fallback_from'] = byRow(({ arm }) => JSON.stringify(arm.fallbackFrom ?? null));
  if (returnsFeatures) {
    metadata['features'] = byRow(({ arm, row }) => featureTexts(arm, int64).features(shownOf(arm, row.features)));
    metadata['statuses'] = byRow(({ arm, row }) => featureTexts(arm, int64).statuses(row.statuses));
  }
  if (rows.some(({ error }) => error !== undefined))
    metadata['errors'] = JSON.stringify(
      rows.map(({ error }, place) => (error === undefined ? null : tell(error, place))),
    );
  return metadata;
}

const shownOf = ({ graph }: Arm, features: readonly Value[]): readonly Value[] => graph.model.binding.shown(features);

interface FeatureTexts {
  readonly features: ReturnType<typeof compileObjectWriter>;
  readonly statuses: ReturnType<typeof compilePlainTextWriter>;
}

const TEXTS: Readonly<Record<Int64Form, WeakMap<Arm, FeatureTexts>>> = { number: new WeakMap(), text: new WeakMap() };

function featureTexts(arm: Arm, int64: Int64Form): FeatureTexts {
  let texts = TEXTS[int64].get(arm);
  if (texts === undefined) {
    const { features } = arm.graph.model.service;
    texts = {
      features: compileObjectWriter(features, int64),
      statuses: compilePlainTextWriter(features.map(({ name }) => name)),
    };
    TEXTS[int64].set(arm, texts);
  }
  return texts;
}
