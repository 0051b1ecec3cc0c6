// One row of a dump: a JSON array on a line, in the order of its table's columns. Whole numbers keep all digits; what JSON has
// no word for is an object with one member.

import { HeadraceError, type Json, parseJson, stringifyJson } from '../../core/index.ts';

/** What SQLite and Postgres both give and take. */
export type Cell = string | number | bigint | null | Uint8Array;

export function toLine(cells: readonly unknown[]): string {
  return stringifyJson(cells.map(toJson));
}

/** Throws HR_BACKUP_DAMAGED where the line is none, or has not as many cells as there are columns. */
export function fromLine(line: string, columns: number): Cell[] {
  let cells: Json;
  try {
    cells = parseJson(line);
  } catch (cause) {
    throw new HeadraceError('HR_BACKUP_DAMAGED', 'a line of a table is no JSON', { cause });
  }
  if (!Array.isArray(cells) || cells.length !== columns) {
    throw new HeadraceError('HR_BACKUP_DAMAGED', `a line of a table does not have its ${columns} columns`);
  }
  return cells.map(fromJson);
}

function toJson(cell: unknown): unknown {
  if (cell instanceof Uint8Array) return { bytes: Buffer.from(cell).toString('base64') };
  if (typeof cell === 'number' && !Number.isFinite(cell)) return { number: String(cell) };
  return cell ?? null;
}

function fromJson(cell: Json): Cell {
  if (cell === null || typeof cell === 'string' || typeof cell === 'number' || typeof cell === 'bigint') return cell;
  if (typeof cell === 'object' && 'bytes' in cell) return Buffer.from(String(cell['bytes']), 'base64');
  if (typeof cell === 'object' && 'number' in cell) return Number(cell['number']);
  throw new HeadraceError('HR_BACKUP_DAMAGED', 'a line of a table holds a value that none has');
}
