// Writes a prediction's record as a row of its schema's table, whose columns are `flatColumns`.

import { DuckDBBlobValue, DuckDBListValue, type DuckDBValue } from '@duckdb/node-api';
import { type DataType, microsOfTime, type Value } from '../../core/index.ts';
import type { NamedSchema } from './arm-schema.ts';
import type { RecordDecoder } from './record-decoder.ts';
import type { DecodedRoute } from './record-route.ts';
import type { TableFiller } from './table-filler.ts';

export type AppendRecord = (record: ReturnType<RecordDecoder>) => void;

/** Statuses go in as their numbers in `names`, routes in `routes`, which grow: as texts they would take most of the time. */
export function compileAppend(
  { fields }: NamedSchema,
  filler: TableFiller,
  names: string[],
  routes: DecodedRoute[],
): AppendRecord {
  const numberOf = (status: string): number => {
    const known = names.indexOf(status);
    return known < 0 ? names.push(status) - 1 : known;
  };
  const routeNumbers = new Map<DecodedRoute, number>();
  const numberOfRoute = (route: DecodedRoute): number => {
    const known = routeNumbers.get(route);
    if (known !== undefined) return known;
    routeNumbers.set(route, routes.length);
    return routes.push(route) - 1;
  };
  const converters = fields.map(({ type }) => toDuckDb(type));
  const { columns } = filler;
  const put = (column: number, value: DuckDBValue): void => {
    (columns[column] as DuckDBValue[])[filler.next] = value;
  };
  return (record) => {
    const { predictionId, requestId, traceId, atMicros, latencyMicros, unit, altered, values, statuses } = record;
    put(0, predictionId);
    put(1, requestId);
    put(2, traceId);
    put(3, atMicros);
    put(4, Number.isFinite(latencyMicros) ? latencyMicros : null);
    put(5, new DuckDBListValue(unit));
    put(6, altered === null ? null : JSON.stringify(altered));
    put(7, record.route === null ? null : numberOfRoute(record.route));
    put(8, record.experimentUnit);
    put(9, record.sampleRate);
    put(10, record.isCached);
    const firstStatus = OWN_COLUMNS + values.length;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as Value;
      put(OWN_COLUMNS + i, value === null ? null : (converters[i] as ToDuckDb)(value));
    }
    for (let i = 0; i < statuses.length; i++) put(firstStatus + i, numberOf(statuses[i] as string));
    filler.added();
  };
}

/** Of `flatColumns`, before those of the fields. */
const OWN_COLUMNS = 11;

type ToDuckDb = (value: NonNullable<Value>) => DuckDBValue;

function toDuckDb(type: DataType): ToDuckDb {
  switch (type.kind) {
    case 'bytes':
      return (value) => new DuckDBBlobValue(value as Uint8Array);
    case 'vector':
      return (value) => new DuckDBListValue(Array.from(value as Float32Array));
    case 'timestamp':
      // A time that is no number is none.
      return (value) => (Number.isInteger(value) ? microsOfTime(value as number) : null);
    case 'list': {
      const item = toDuckDb(type.of);
      return (value) =>
        new DuckDBListValue((value as readonly Value[]).map((one) => (one === null ? null : item(one))));
    }
    default:
      return (value) => value as boolean | number | bigint | string;
  }
}
