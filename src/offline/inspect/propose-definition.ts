// A source's definition to paste, from what a look at its place found: every column with its type, and of the times the one
// that most likely says when it happened. What was guessed stands in comments with what it could be instead.

import { type SourceKind, typeCall } from '../../definitions/index.ts';
import type { InspectedColumn, InspectedPlace } from './inspected.ts';

export interface Proposal {
  readonly name: string;
  /** Null where no column is a time. */
  readonly eventTime: string | null;
  /** Other columns that it could be. */
  readonly otherTimes: readonly string[];
  /** Of TypeScript: whole, with its import. */
  readonly definition: string;
}

/** When a fact happened, as columns are called; the first that fits. */
const EVENT_NAMES = [
  /^event_?(time|at|ts|timestamp|date)$/i,
  /^(ts|timestamp|time|at|datetime|date)$/i,
  /^(occurr|happen)ed_?(at|on)?$/i,
  /_at$|At$/,
  /_(ts|time|timestamp|date|on)$|(Time|Date)$/,
];
/** When a row was written, which is later. */
const KNOWN_NAMES = /^_|load|ingest|insert|updat|modif|synced|known|arriv|receiv|landed|process/i;

/** `name`: what to call it; from its place when left out. */
export function proposeDefinition(place: InspectedPlace, name = nameOf(place)): Proposal {
  const isPartition = (column: InspectedColumn): boolean => Object.hasOwn(place.partitions ?? {}, column.name);
  const times = place.columns
    .filter((column) => column.suggested?.kind === 'timestamp' && !isPartition(column))
    .map((column) => column.name);
  const events = times.filter((time) => !KNOWN_NAMES.test(time));
  const best = EVENT_NAMES.flatMap((pattern) => events.filter((time) => pattern.test(time)))[0];
  const eventTime = best ?? events[0] ?? times[0] ?? null;
  const otherTimes = times.filter((time) => time !== eventTime);
  return { name, eventTime, otherTimes, definition: definitionOf(place, name, eventTime, otherTimes) };
}

function definitionOf(
  { kind, location, columns, partitions, notes }: InspectedPlace,
  name: string,
  eventTime: string | null,
  otherTimes: readonly string[],
): string {
  const known = otherTimes.find((time) => KNOWN_NAMES.test(time));
  const others = otherTimes.length === 0 ? '' : ` // or: ${otherTimes.map(textOf).join(', ')}`;
  const lines = [
    ...notes.map((note) => `// ${note}`),
    `import { ${[kind, 't'].sort().join(', ')} } from 'headrace';`,
    '',
    `export const ${variableOf(name)} = ${kind}(${textOf(name)}, {`,
    ...Object.entries(location).map(([member, value]) => `  ${member}: ${textOf(value)},`),
    ...(partitions === undefined ? [] : [partitionsLine(partitions)]),
    '  columns: {',
    ...columns.map(columnLine),
    '  },',
    eventTime === null
      ? "  eventTime: '', // when it happened: no column is a timestamp, so derive one: derive: { at: [t.timestamp(), sql`…`] }"
      : `  eventTime: ${textOf(eventTime)}, // when it happened${others === '' ? '' : `;${others.slice(3)}`}`,
    `  // knownTime: ${textOf(known ?? '…')}, // when we could know it, if later than that; or { after: '1h' }`,
    '});',
  ];
  return lines.join('\n');
}

function partitionsLine(partitions: NonNullable<InspectedPlace['partitions']>): string {
  const members = Object.entries(partitions).map(([name, unit]) => `${memberOf(name)}: ${textOf(unit)}`);
  const [what, are] = members.length > 1 ? ['those', 'are'] : ['that', 'is'];
  const part = members.length === 1 ? `the ${Object.values(partitions).join().replace('date', 'day')}` : 'parts';
  return `  // partitions: { ${members.join(', ')} }, // where ${what} ${are} ${part} of the event time in UTC: runs open only the files they need`;
}

function columnLine({ name, type, suggested }: InspectedColumn): string {
  const member = memberOf(name);
  if (suggested === undefined) return `    // ${oneLine(member)}: ${oneLine(type)} can be no column`;
  return `    ${member}: ${typeCall(suggested)},`;
}

const memberOf = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : textOf(name));

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ');

/** In quotes as the rest of a definition has them. */
function textOf(text: string): string {
  return `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}

const FALLBACK: Readonly<Partial<Record<SourceKind, string>>> = { csv: 'rows', parquet: 'rows' };

/** From the table's name, or the last part of the path that is no pattern. */
function nameOf({ kind, location }: InspectedPlace): string {
  const path = location['path']?.replace(/^\w+:\/\//, '');
  const parts = path === undefined ? [location['table']?.replaceAll('"', '').split('.').at(-1) ?? ''] : path.split('/');
  const plain = parts
    .filter((part) => !/[*?[{]|=/.test(part))
    .map((part) =>
      part
        .replace(/(\.\w+)+$/, '')
        .replaceAll(/[^A-Za-z0-9]+/g, '_')
        .replace(/^[_\d]+|_+$/g, ''),
    )
    .filter((part) => part !== '');
  return plain.at(-1)?.toLowerCase() ?? FALLBACK[kind] ?? 'rows';
}

function variableOf(name: string): string {
  const variable = name.replaceAll(/[^A-Za-z0-9]+(\w)?/g, (_, next: string | undefined) => next?.toUpperCase() ?? '');
  return RESERVED.has(variable) ? `${variable}Source` : variable;
}

/** Words that can't be a variable, and what is imported beside it. */
const RESERVED = new Set(
  'break case catch class const continue debugger default delete do else enum export extends false finally for function if import in instanceof new null return super switch this throw true try typeof var void while with let static await yield csv parquet postgres mysql snowflake iceberg t'.split(
    ' ',
  ),
);
