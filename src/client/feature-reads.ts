// Features of a service: by row, and by column.

import type { Api } from './api.ts';
import type { FeatureColumns, FeatureRow } from './answers.ts';
import type { Ask } from './ask.ts';
import { arrayIn, INT64_AS_TEXT, objectIn, unexpected } from './answer-parts.ts';
import type { Int64Form } from './column-values.ts';
import { columnsDecoderOf, decoderOf, type DecodeValues } from './decode-values.ts';
import { encodeRow } from './encode-row.ts';
import type { CallOptions } from './options.ts';

type Values = Readonly<Record<string, unknown>>;

interface FeatureReads {
  readFeatures(service: string, row: object, options?: CallOptions): Promise<FeatureRow<Values> | undefined>;
  readMany(service: string, rows: readonly object[], options?: CallOptions): Promise<FeatureRow<Values>[]>;
  readColumns(service: string, rows: readonly object[], options?: CallOptions): Promise<FeatureColumns<Values>>;
}

export function featureReads(ask: Ask, api: Api | undefined, int64: Int64Form): FeatureReads {
  const columnsOf = (service: string) =>
    api !== undefined && Object.hasOwn(api.services, service) ? api.services[service]?.features : undefined;
  const [byRow, byColumn] = [new Map<string, DecodeValues>(), new Map<string, DecodeValues>()];
  const decoder = (known: Map<string, DecodeValues>, service: string, make: typeof decoderOf): DecodeValues => {
    const columns = columnsOf(service);
    const decode = known.get(service) ?? make(columns, int64);
    // Names that no column is known of are the caller's, and without bound.
    if (columns !== undefined) known.set(service, decode);
    return decode;
  };
  const send = async (service: string, rows: readonly object[], layout: 'rows' | 'columns', call: CallOptions) => {
    const encoded = rows.map((row, at) => encodeRow(row, `rows[${at}]`));
    const path = `/v1/services/${encodeURIComponent(service)}/read`;
    const body = layout === 'rows' ? { rows: encoded } : { rows: encoded, options: { layout } };
    return (await ask({ method: 'POST', path, body, headers: INT64_AS_TEXT, isRepeatable: true }, call)).body;
  };
  const readRows = async (service: string, rows: readonly object[], options: CallOptions) => {
    const body = await send(service, rows, 'rows', options);
    const decode = decoder(byRow, service, decoderOf);
    return arrayIn(body, 'rows', rows.length).map((row, at) => presentRow(objectIn(row), decode, at));
  };
  return {
    async readFeatures(service, row, options = {}) {
      const [only] = await readRows(service, [row], options);
      return only;
    },
    readMany: (service, rows, options = {}) => readRows(service, rows, options),
    async readColumns(service, rows, options = {}) {
      const body = objectIn(await send(service, rows, 'columns', options));
      const features = objectIn(body['features']);
      for (const [name, values] of Object.entries(features)) {
        if (!Array.isArray(values) || values.length !== rows.length) {
          throw unexpected(`no ${rows.length} values for the feature "${name}"`);
        }
      }
      return {
        features: decoder(byColumn, service, columnsDecoderOf)(features, 'features'),
        // The route's own form.
        statuses: objectIn(body['statuses']) as FeatureColumns<Values>['statuses'],
        eventTimes: objectIn(body['event_times']) as FeatureColumns<Values>['eventTimes'],
      };
    },
  };
}

function presentRow(row: Values, decode: DecodeValues, at: number): FeatureRow<Values> {
  return {
    features: decode(objectIn(row['features']), `rows[${at}].features`),
    // The route's own form.
    statuses: objectIn(row['statuses']) as FeatureRow<Values>['statuses'],
    eventTimes: objectIn(row['event_times']) as FeatureRow<Values>['eventTimes'],
  };
}
