// What differs in a source. Columns that no feature uses change nothing.

import { canonicalJson, formatDuration, typeName } from '../../../core/index.ts';
import {
  columnsInUse,
  type DeriveSpec,
  isLogAlone,
  type Manifest,
  type SourceSpec,
} from '../../../definitions/index.ts';
import { describeDifference } from '../difference.ts';
import { becomes, type ChangeLine, line } from './change-line.ts';
import { expectLines } from './expect-lines.ts';
import { listLines } from './field-lines.ts';
import { restLines } from './rest-lines.ts';
import { showCode, showKnownTime, showValue } from './show.ts';

const TOLD = [
  'kind',
  'location',
  'columns',
  'derive',
  'eventTime',
  'knownTime',
  'createdOrder',
  'tombstone',
  'pushes',
  'completeAfterMicros',
  'partitions',
  'over',
  'expect',
] as const satisfies readonly (keyof SourceSpec)[];

export function sourceLines(was: SourceSpec, is: SourceSpec, before: Manifest, after: Manifest): ChangeLine[] {
  const used = new Set([...columnsInUse(before, was.name), ...columnsInUse(after, is.name)]);
  const kindOf = ({ name }: { readonly name: string }) => (used.has(name) ? 'meaning' : 'about');
  const optional = (text: string | undefined): string => text ?? 'none';
  return [
    ...listLines(was.columns, is.columns, {
      what: 'column',
      show: ({ type }) => typeName(type),
      kind: kindOf,
      differences: (one, other, title) => becomes(kindOf(one), title, typeName(one.type), typeName(other.type)),
    }),
    ...listLines(was.derive, is.derive, {
      what: 'derived column',
      show: showDerive,
      kind: kindOf,
      differences: (one, other, title) => [
        ...becomes(kindOf(one), title, typeName(one.type), typeName(other.type)),
        ...deriveCode(one, other, title),
      ],
    }),
    ...becomes('meaning', 'event time', was.eventTime, is.eventTime),
    ...becomes('meaning', 'known time', showKnownTime(was.knownTime), showKnownTime(is.knownTime)),
    ...becomes('meaning', 'created order', optional(was.createdOrder), optional(is.createdOrder)),
    ...becomes('meaning', 'tombstone', optional(was.tombstone), optional(is.tombstone)),
    ...becomes('meaning', 'pushes', was.pushes, is.pushes),
    ...becomes('meaning', 'complete after', showAfter(was), showAfter(is)),
    ...expectLines(was, is),
    ...becomes(isLogAlone(was) !== isLogAlone(is) ? 'meaning' : 'place', 'kind', was.kind, is.kind),
    ...becomes('meaning', 'query', optional(was.location['query']), optional(is.location['query'])),
    ...describeDifference({ over: was.over ?? [] }, { over: is.over ?? [] }).map((text) => line('meaning', text)),
    ...describeDifference(partitionsOf(was), partitionsOf(is)).map((text) => line('place', text)),
    ...describeDifference({ location: placeOf(was) }, { location: placeOf(is) }).map((text) => line('place', text)),
    ...restLines(was, is, TOLD),
  ];
}

const partitionsOf = ({ partitions }: SourceSpec): object => (partitions === undefined ? {} : { partitions });

/** A query says which rows there are, not where they lie. */
function placeOf({ location }: SourceSpec): SourceSpec['location'] {
  const { query: _query, ...place } = location;
  return place;
}

function showDerive({ type, by }: DeriveSpec): string {
  return `${typeName(type)}, ${by.kind === 'sql' ? `sql ${showValue(by.sql)}` : showCode(by.function)}`;
}

function deriveCode({ by: was }: DeriveSpec, { by: is }: DeriveSpec, title: string): ChangeLine[] {
  const isSql = was.kind === 'sql' || is.kind === 'sql';
  const show = (by: DeriveSpec['by']): string =>
    by.kind === 'sql' ? `sql ${showValue(by.sql)}` : `${isSql ? 'code ' : ''}${showCode(by.function)}`;
  // Beginnings of two texts may be alike.
  return canonicalJson(was) === canonicalJson(is) ? [] : [line('code', `${title}: ${show(was)} → ${show(is)}`)];
}

function showAfter({ completeAfterMicros }: SourceSpec): string {
  return completeAfterMicros === undefined ? 'none' : formatDuration(completeAfterMicros);
}
