// Entries as lines of JSON. The writer of a list of fields is compiled once and found again by the list itself, so that
// a line costs some joining of strings.

import { type DataType, type Field, type Micros, stringifyJson, toJson, type Value } from '../../core/index.ts';
import type { OutcomeEntry, PredictionEntry } from './prediction-log.ts';

/** One line of a segment of predictions, its line feed included. */
export function predictionLine(entry: PredictionEntry): string {
  const { predictionId, requestId, traceId, atMicros, latencyMicros, endpoint, model, version, variant, unit } = entry;
  return (
    `{"prediction_id":${JSON.stringify(predictionId)},"request_id":${JSON.stringify(requestId)}` +
    `,"trace_id":${JSON.stringify(traceId)},"predicted_micros":${atMicros},"latency_micros":${latencyMicros}` +
    `,"endpoint":${JSON.stringify(endpoint)},"model":${JSON.stringify(model)},"version":${version}` +
    `,"variant":${JSON.stringify(variant)},"unit":${JSON.stringify(unit)}` +
    `,"request":${writerOf(entry.requestFields)(entry.request)}` +
    `,"features":${writerOf(entry.featureFields)(entry.features)}` +
    `,"statuses":${writeStatuses(entry.featureFields, entry.statuses)}` +
    `,"outputs":${writerOf(entry.outputFields)(entry.outputs)}}\n`
  );
}

/** One line of a segment of outcomes, its line feed included. */
export function outcomeLine(outcome: OutcomeEntry, recordedMicros: Micros): string {
  const { predictionId, endpoint, value, observedMicros } = outcome;
  return (
    `{"prediction_id":${JSON.stringify(predictionId)},"endpoint":${JSON.stringify(endpoint)}` +
    `,"outcome":${JSON.stringify(value)},"observed_micros":${observedMicros},"recorded_micros":${recordedMicros}}\n`
  );
}

type WriteValues = (values: readonly Value[]) => string;

const writers = new WeakMap<readonly Field[], WriteValues>();

function writerOf(fields: readonly Field[]): WriteValues {
  let writer = writers.get(fields);
  if (writer === undefined) writers.set(fields, (writer = compileWriter(fields)));
  return writer;
}

function compileWriter(fields: readonly Field[]): WriteValues {
  const starts = startsOf(fields);
  const writeValues = fields.map(({ type }) => compileValueWriter(type));
  return (values) => {
    let text = '{';
    for (let i = 0; i < starts.length; i++) {
      const value = values[i] ?? null;
      text += (starts[i] as string) + (value === null ? 'null' : (writeValues[i] as (value: Value) => string)(value));
    }
    return `${text}}`;
  };
}

function compileValueWriter(type: DataType): (value: Value) => string {
  switch (type.kind) {
    case 'bool':
    case 'int32':
    case 'int64':
      return String;
    case 'float32':
    case 'float64':
      // Minus zero too is written as it is, as everywhere in Headrace's JSON.
      return (value) => (Number.isFinite(value) ? (Object.is(value, -0) ? '-0' : String(value)) : `"${String(value)}"`);
    case 'string':
      return (value) => JSON.stringify(value);
    default:
      return (value) => stringifyJson(toJson(type, value));
  }
}

// `"name":`, with a comma before all but the first.
function startsOf(fields: readonly Field[]): string[] {
  return fields.map(({ name }, index) => `${index === 0 ? '' : ','}${JSON.stringify(name)}:`);
}

const statusStarts = new WeakMap<readonly Field[], readonly string[]>();
// Most rows' statuses are those of some row before: the last text of a list of fields is kept.
const lastStatuses = new WeakMap<readonly Field[], { readonly statuses: readonly string[]; readonly text: string }>();

function writeStatuses(fields: readonly Field[], statuses: readonly string[]): string {
  const last = lastStatuses.get(fields);
  if (last !== undefined && isSame(last.statuses, statuses)) return last.text;
  const text = joinStatuses(fields, statuses);
  lastStatuses.set(fields, { statuses, text });
  return text;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function joinStatuses(fields: readonly Field[], statuses: readonly string[]): string {
  let starts = statusStarts.get(fields);
  if (starts === undefined) statusStarts.set(fields, (starts = startsOf(fields)));
  let text = '{';
  // A status is a name of ours: it needs no escape.
  for (let i = 0; i < starts.length; i++) text += `${starts[i]}"${statuses[i]}"`;
  return `${text}}`;
}
