// What a backup consists of, as its manifest.json says: written last, so that a place with one holds a whole backup.

import { HeadraceError, type Json, parseJson, stringifyJson } from '../../core/index.ts';
import type { ObjectStore } from '../../storage/index.ts';

export const MANIFEST = 'manifest.json';
/** There from the beginning: what lies beside it is of a backup that can be begun again. */
export const BEGUN = 'begun.json';
/** Of manifests that this version writes and reads. */
export const FORMAT = 1;

export interface BackedUpFile {
  /** Where it lies in the backup. */
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
}

export interface BackedUpTable extends BackedUpFile {
  readonly name: string;
  readonly columns: readonly string[];
  readonly rows: number;
}

/** A file beside the object store. */
export interface BackedUpExtra extends BackedUpFile {
  readonly kind: ExtraKind;
  /** Relative to where files of its kind lie. */
  readonly name: string;
}

export type ExtraKind = 'training-set' | 'prediction';

export interface MissingObject {
  readonly key: string;
  readonly what: string;
}

export interface BackupManifest {
  readonly format: number;
  /** The version that wrote it. */
  readonly headrace: string;
  readonly project: string;
  /** When its registry was read: what was acknowledged before it began is in it. */
  readonly at: string;
  readonly database: string;
  readonly migrations: readonly string[];
  readonly tables: readonly BackedUpTable[];
  /** Lists the objects, a line each. */
  readonly objects: BackedUpFile & { readonly count: number; readonly total: number };
  readonly extras: readonly BackedUpExtra[];
  /** What the registry names and the artifact store did not have. */
  readonly missing: readonly MissingObject[];
}

export function manifestText(manifest: BackupManifest): string {
  return `${stringifyJson(manifest, 2)}\n`;
}

/** Throws HR_BACKUP_DAMAGED where there is none or it is none, HR_BACKUP_NEWER. */
export async function readManifest(from: ObjectStore, place: string): Promise<BackupManifest> {
  const bytes = await from.get(MANIFEST);
  if (bytes === undefined) {
    const isBegun = (await from.get(BEGUN)) !== undefined;
    const why = isBegun ? 'a backup was begun there and is not finished' : `it has no ${MANIFEST}`;
    throw damaged(`${place} holds no backup: ${why}`);
  }
  let json: Json;
  try {
    json = parseJson(Buffer.from(bytes).toString());
  } catch {
    throw damaged(`${MANIFEST} in ${place} is no JSON`);
  }
  const format = json !== null && typeof json === 'object' && 'format' in json ? json['format'] : undefined;
  if (typeof format === 'number' && format > FORMAT) {
    const sentence = `${MANIFEST} in ${place} has format ${format}; this version reads up to ${FORMAT}. Use the one that wrote it.`;
    throw new HeadraceError('HR_BACKUP_NEWER', sentence);
  }
  if (format !== FORMAT || !isManifest(json)) throw damaged(`${MANIFEST} in ${place} is no manifest of a backup`);
  return json;
}

export function damaged(sentence: string): HeadraceError {
  return new HeadraceError('HR_BACKUP_DAMAGED', sentence);
}

function isManifest(json: unknown): json is BackupManifest {
  if (json === null || typeof json !== 'object') return false;
  const found = json as Partial<Record<keyof BackupManifest, unknown>>;
  const lists = [found.migrations, found.tables, found.extras, found.missing];
  const files = [
    found.objects,
    ...(Array.isArray(found.tables) ? found.tables : []),
    ...(Array.isArray(found.extras) ? found.extras : []),
  ];
  return (
    lists.every(Array.isArray) &&
    files.every(isFile) &&
    [found.headrace, found.project, found.at, found.database].every((text) => typeof text === 'string')
  );
}

function isFile(file: unknown): boolean {
  if (file === null || typeof file !== 'object') return false;
  const { key, bytes, sha256 } = file as Partial<Record<keyof BackedUpFile, unknown>>;
  return typeof key === 'string' && typeof bytes === 'number' && /^[0-9a-f]{64}$/.test(String(sha256));
}
