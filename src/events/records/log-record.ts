// What a segment holds, as frames: a head, marks that open cuts, entries, seals that end cuts.

import type { Micros } from '../../core/index.ts';
import type { SourceSpec } from '../../definitions/index.ts';
import type { CutView, IdempotencyKey, LogEntry, NewEntry } from '../event-log.ts';
import { type Frame, packFrame } from './frame.ts';
import { decodeRows, encodeRows } from './row-codec.ts';

/** Where a log stands: its open cut, the last sealed one, and the offset after its last entry. */
export interface Positions {
  readonly cut: number;
  readonly sealed: number;
  readonly offset: number;
}

export const NEW_LOG_POSITIONS: Positions = { cut: 0, sealed: 0, offset: 0 };

/** First frame of every segment: where the log stood when it was begun. */
export interface SegmentHead extends Positions {
  readonly version: number;
  readonly writer: number;
  readonly token: string;
  readonly seq: number;
  /** Bytes of the segment before this one; what lies after them is void: the rest of a write that failed. */
  readonly previous: number;
}

export interface Mark {
  readonly kind: 'mark';
  readonly cut: number;
  readonly view: CutView;
}

export interface Seal {
  readonly kind: 'seal';
  readonly cut: number;
  readonly voids: readonly number[];
}

export interface EntryRecord {
  readonly kind: 'entry';
  readonly offset: number;
  readonly count: number;
  readonly source: string;
  readonly key?: IdempotencyKey;
  readonly isPutBack?: true;
}

/** Any but the head. */
export type LogRecord = Mark | EntryRecord | Seal;

const VERSION = 1;
const MAGIC = 'headrace-events';
const KIND = { head: 0x48, mark: 0x4d, entry: 0x45, seal: 0x53 };

/** An entry takes an offset a row, and one when it has none: two entries never share one. */
export const span = (count: number): number => Math.max(1, count);

export function packHead(head: Omit<SegmentHead, 'version'>): Buffer {
  return packFrame(KIND.head, JSON.stringify({ magic: MAGIC, version: VERSION, ...head }));
}

export function packMark({ cut, view }: Mark): Buffer {
  return packFrame(KIND.mark, `{"cut":${cut},"view":${viewToJson(view)}}`);
}

export function packSeal({ cut, voids }: Seal): Buffer {
  return packFrame(KIND.seal, JSON.stringify({ cut, voids }));
}

const names = new WeakMap<SourceSpec, string>();

/** As JSON. */
function nameOf(source: SourceSpec): string {
  let name = names.get(source);
  if (name === undefined) names.set(source, (name = JSON.stringify(source.name)));
  return name;
}

export function packEntry(offset: number, { source, rows, key, isPutBack }: NewEntry): Buffer {
  const keyed = key === undefined ? '' : `,"key":${JSON.stringify(key.key)},"hash":${JSON.stringify(key.hash)}`;
  const back = isPutBack === undefined ? '' : `,"back":true`;
  const header = `{"offset":${offset},"count":${rows.length},"source":${nameOf(source)}${keyed}${back}}`;
  return packFrame(KIND.entry, header, encodeRows(source, rows));
}

/** The head, or a sentence that says why it is none that can be read. */
export function readHead({ kind, header }: Frame): SegmentHead | string {
  const head = kind === KIND.head ? (JSON.parse(header) as SegmentHead & { magic: string }) : undefined;
  if (head?.magic !== MAGIC) return 'it does not begin as a segment does';
  if (head.version > VERSION) return `a newer Headrace wrote it (format ${head.version}, this one reads ${VERSION})`;
  return head;
}

/** A record as its frame's header has it (the checksum held, so this is what was packed); undefined for another kind. */
export function readRecord({ kind, header }: Frame): LogRecord | undefined {
  if (kind === KIND.entry) {
    const { offset, count, source, key, hash, back } = JSON.parse(header) as EntryHeader;
    const record = { kind: 'entry', offset, count, source, ...(back && { isPutBack: back }) } as const;
    return key === undefined ? record : { ...record, key: { key, hash: hash ?? '' } };
  }
  if (kind === KIND.mark) {
    const { cut, view } = JSON.parse(header) as { cut: number; view: ViewJson };
    return { kind: 'mark', cut, view: viewOf(view) };
  }
  if (kind === KIND.seal) return { kind: 'seal', ...(JSON.parse(header) as Omit<Seal, 'kind'>) };
  return undefined;
}

interface EntryHeader {
  readonly offset: number;
  readonly count: number;
  readonly source: string;
  readonly key?: string;
  readonly hash?: string;
  readonly back?: true;
}

/** The entry with its place; its rows are decoded when asked for. */
export function toEntry(writer: number, cut: number, record: EntryRecord, body: () => Buffer): LogEntry {
  const { kind: _, ...rest } = record;
  return { writer, cut, ...rest, rows: (source: SourceSpec) => decodeRows(source, body()) };
}

type ViewJson = readonly (readonly [string, readonly (Micros | null)[]])[];

/** As JSON: −Infinity is null. */
export function viewToJson(view: CutView): string {
  return JSON.stringify([...view].map(([version, all]) => [version, all.map((at) => (at === -Infinity ? null : at))]));
}

export function viewFromJson(text: string): CutView {
  return viewOf(JSON.parse(text) as ViewJson);
}

function viewOf(json: ViewJson): CutView {
  return new Map(json.map(([version, boundaries]) => [version, boundaries.map((at) => at ?? -Infinity)]));
}

/** Where the log stands after a record; a sentence when it can't follow what came before. */
export function advance(at: Positions, record: LogRecord): Positions | string {
  switch (record.kind) {
    case 'mark':
      return record.cut === at.cut + 1 ? { ...at, cut: record.cut } : `cut ${record.cut} follows cut ${at.cut}`;
    case 'seal':
      return record.cut === at.sealed + 1 && record.cut <= at.cut
        ? { ...at, sealed: record.cut }
        : `the seal of cut ${record.cut} follows that of cut ${at.sealed}`;
    case 'entry':
      if (record.offset < at.offset) return `offset ${record.offset} comes after ${at.offset}`;
      if (at.cut === 0 || at.cut === at.sealed) return `the entry at offset ${record.offset} lies in no open cut`;
      return { ...at, offset: record.offset + span(record.count) };
  }
}
