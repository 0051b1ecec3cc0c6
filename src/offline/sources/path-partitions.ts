// What a file's path says of its rows: `…/dt=2026-01-05/region=north/part-0.parquet`.

import { formatTimestamp, HeadraceError, MICROS_PER_DAY, MICROS_PER_HOUR, type Micros } from '../../core/index.ts';
import type { PartitionUnit, SourceSpec } from '../../definitions/index.ts';
import { quoteText } from '../../storage/index.ts';
import { ALL_EVENTS, type EventRange, overlaps } from './event-range.ts';

/** How Hive writes a null. */
const NO_VALUE = '__HIVE_DEFAULT_PARTITION__';

/** Values by name in lower case; null is a null. */
export function pathValues(path: string): ReadonlyMap<string, string | null> {
  const values = new Map<string, string | null>();
  for (const folder of path.split('/').slice(0, -1)) {
    const [, name, value] = /^([^=]+)=(.*)$/.exec(folder) ?? [];
    if (name !== undefined && value !== undefined) {
      values.set(name.toLowerCase(), value === NO_VALUE ? null : decoded(value));
    }
  }
  return values;
}

/** What a folder is called that holds a part of a time. */
const UNIT_NAMES: Readonly<Record<Exclude<PartitionUnit, 'date'>, RegExp>> = {
  year: /^(year|yyyy|y)$/i,
  month: /^(month|mm|m)$/i,
  day: /^(day|dd|d)$/i,
  hour: /^(hour|hh|hr|h)$/i,
};

/** Folders of a path that may say when its rows happened, as `partitions` of a source; empty where they tell no day, month or year. */
export function timesInPath(path: string): Readonly<Record<string, PartitionUnit>> {
  const folders = path
    .split('/')
    .slice(0, -1)
    .flatMap((folder) => /^([^=]+)=(.+)$/.exec(folder)?.slice(1, 3) ?? []);
  const found: Record<string, PartitionUnit> = {};
  for (let i = 0; i < folders.length; i += 2) {
    const [name = '', value = ''] = folders.slice(i, i + 2);
    const isDate = splitDate(value)[0] !== null;
    const unit = isDate
      ? 'date'
      : (['year', 'month', 'day', 'hour'] as const).find((one) => UNIT_NAMES[one].test(name));
    if (unit !== undefined && !Object.values(found).includes(unit)) found[name] = unit;
  }
  // Whether they are a time at all, a source with them would find.
  const { from } = partitionRange({ partitions: found }, path);
  return from === ALL_EVENTS.from ? {} : found;
}

/** A value of a path as SQL. */
export function textSql(value: string | null | undefined): string {
  return value === null || value === undefined ? 'CAST(NULL AS VARCHAR)' : quoteText(value);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** Between which event times a file's rows lie, by its path; ALL_EVENTS where that doesn't say. */
export function partitionRange({ partitions }: Pick<SourceSpec, 'partitions'>, path: string): EventRange {
  if (partitions === undefined) return ALL_EVENTS;
  const values = pathValues(path);
  const of = (unit: PartitionUnit): string | null | undefined => {
    const [name] = Object.entries(partitions).find(([, its]) => its === unit) ?? [];
    return name === undefined ? undefined : values.get(name.toLowerCase());
  };
  const [date, year, month, day, hour] = (['date', 'year', 'month', 'day', 'hour'] as const).map(of);
  const start = date === undefined ? dayOf(year, month, day) : dayOf(...splitDate(date));
  if (start === undefined) return ALL_EVENTS;
  if (hour === undefined) return { from: start.from, to: start.until - 1 };
  const at = /^\d{1,2}$/.test(hour ?? '') ? Number(hour) : 24;
  if (at > 23 || start.until - start.from !== MICROS_PER_DAY) return ALL_EVENTS;
  const from = start.from + at * MICROS_PER_HOUR;
  return { from, to: from + MICROS_PER_HOUR - 1 };
}

/**
 * Throws HR_SOURCE_UNREADABLE where the file's folder denies one of its rows, which lie between `rows`: such a row would be lost in
 * silence whenever the folder isn't opened.
 */
export function refuseDenied(source: SourceSpec, path: string, rows: EventRange): void {
  const promised = partitionRange(source, path);
  if (rows.from >= promised.from && rows.to <= promised.to) return;
  const time = formatTimestamp(rows.from < promised.from ? rows.from : rows.to);
  throw new HeadraceError(
    'HR_SOURCE_UNREADABLE',
    `source "${source.name}": ${path} holds a row of ${time}, which its folder's date denies. \`partitions\` must say the event time "${source.eventTime}" in UTC; leave it out where folders say something else.`,
  );
}

/** Whether a file's path leaves room for a row of the range. */
export function keepsPath(source: Pick<SourceSpec, 'partitions'>, range: EventRange): (path: string) => boolean {
  return (path) => overlaps(partitionRange(source, path), range);
}

type Text = string | null | undefined;

function splitDate(date: string | null): [Text, Text, Text] {
  const [, year, month, day] = /^(\d{4})-?(\d{2})-?(\d{2})$/.exec(date ?? '') ?? [];
  return [year ?? null, month ?? null, day ?? null];
}

/** A year, a month of it, or a day; undefined where the parts are none. */
function dayOf(year: Text, month: Text, day: Text): { readonly from: Micros; readonly until: Micros } | undefined {
  if (!/^\d{4}$/.test(year ?? '')) return undefined;
  const at = (y: number, m: number, d: number): Micros => Date.UTC(y, m - 1, d) * 1000;
  const y = Number(year);
  if (month === undefined) return day === undefined ? { from: at(y, 1, 1), until: at(y + 1, 1, 1) } : undefined;
  const m = numberIn(month, 12);
  if (m === undefined) return undefined;
  if (day === undefined) return { from: at(y, m, 1), until: at(y, m + 1, 1) };
  const d = numberIn(day, new Date(Date.UTC(y, m, 0)).getUTCDate());
  return d === undefined ? undefined : { from: at(y, m, d), until: at(y, m, d) + MICROS_PER_DAY };
}

function numberIn(text: Text, most: number): number | undefined {
  const number = /^\d{1,2}$/.test(text ?? '') ? Number(text) : 0;
  return number >= 1 && number <= most ? number : undefined;
}
