// Features that were read as an Arrow stream of one batch: a column a feature in the order asked, then a status and an event
// time for each where those are wanted.

import type { DataType } from '../../core/index.ts';
import type { ResolvedService } from '../../definitions/index.ts';
import { STATUSES } from '../../online/index.ts';
import type { FeatureSource } from '../features/answer-writer.ts';
import type { FeaturesRead } from '../features/read-features.ts';
import { BatchBody } from './batch-body.ts';
import { batchMessage, schemaMessage, statusDictionary } from './messages.ts';
import type { OutField } from './out-fields.ts';

export interface FeatureColumns {
  /** `F__status` for each feature F. */
  readonly hasStatuses: boolean;
  /** `F__event_time`: of the record that it was read from, null for none, and for what a function computes. */
  readonly hasEventTimes: boolean;
}

type Write = (source: FeatureSource) => Buffer;

const plans = new WeakMap<ResolvedService, Map<string, Write>>();

export function writeFeatures(
  { service, source }: Pick<FeaturesRead, 'service' | 'source'>,
  columns: FeatureColumns,
): Buffer {
  let forms = plans.get(service);
  if (forms === undefined) plans.set(service, (forms = new Map()));
  const form = `${columns.hasStatuses}${columns.hasEventTimes}`;
  let write = forms.get(form);
  if (write === undefined) forms.set(form, (write = compileWriter(service, columns)));
  return write(source);
}

/** One for all services of a process: an answer is written in one go. */
const body = new BatchBody();
const TIMESTAMP: DataType = { kind: 'timestamp' };

function compileWriter({ features }: ResolvedService, { hasStatuses, hasEventTimes }: FeatureColumns): Write {
  const fields: OutField[] = [
    ...features,
    ...(hasStatuses
      ? features.map(({ name }) => ({ name: `${name}__status`, type: { kind: 'status' } as const }))
      : []),
    ...(hasEventTimes ? features.map(({ name }) => ({ name: `${name}__event_time`, type: TIMESTAMP })) : []),
  ];
  const dictionary = hasStatuses ? [statusDictionary(STATUSES)] : [];
  const prefix = Buffer.concat([schemaMessage(fields), ...dictionary]);
  const message = batchMessage(fields);
  const types = features.map(({ type }) => type);
  const reads = features.map(({ from }) => (from.kind === 'read' ? from.read : -1));
  const size = features.length;
  return (source) => {
    const { rows } = source;
    const codes = new Uint8Array(hasStatuses ? size * rows : 0);
    body.open(prefix, message);
    for (let feature = 0; feature < size; feature++) {
      const type = types[feature] as DataType;
      body.begin(type, rows);
      const give = (row: number): void => {
        const code = source.give(row, feature, body);
        if (hasStatuses) codes[feature * rows + row] = code;
      };
      // Nearly all numbers lie in their records as they go out.
      const isCopied = body.copy((to, at, rest) => source.copy?.(feature, to, at, rest) === true, give);
      if (!isCopied) for (let row = 0; row < rows; row++) give(row);
      body.finish(type);
    }
    if (hasStatuses)
      for (let feature = 0; feature < size; feature++) body.codes(codes.subarray(feature * rows, (feature + 1) * rows));
    if (hasEventTimes) for (const read of reads) writeTimes(source, read);
    return body.take(prefix, message, rows);
  };
}

function writeTimes(source: FeatureSource, read: number): void {
  body.begin(TIMESTAMP, source.rows);
  for (let row = 0; row < source.rows; row++) {
    const micros = read < 0 ? null : source.eventMicros(row, read);
    if (micros === null) body.none();
    else body.timestamp(micros);
  }
  body.finish(TIMESTAMP);
}
