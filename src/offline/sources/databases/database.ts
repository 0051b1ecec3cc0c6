// What a database is to a source: columns that can be looked at, and rows of one moment that come as text. Each database
// says in its own folder how a column's values are asked for, so that their text is exact; what they become is common.

import type { DataType } from '../../../core/index.ts';
import type { TablePart } from '../../../definitions/index.ts';
import type { RowFile } from './row-file.ts';

/** How a value is written in the text that the database gives. */
export type TextForm =
  | 'bool'
  | 'int'
  /** Digits, a point, an exponent: exact, however long. */
  | 'decimal'
  | 'float32'
  | 'float64'
  | 'text'
  | 'hex'
  /** `2024-01-31 23:59:59.123456`, in UTC. */
  | 'timestamp'
  /** A JSON array. */
  | 'json';

/** How a column is asked for: an expression of the database's SQL, and the form of its text. */
export interface Wire {
  readonly sql: string;
  readonly form: TextForm;
}

export interface FoundColumn {
  readonly name: string;
  /** As the database calls it. */
  readonly type: string;
  /** Undefined where values of it can't be of that type. */
  wireAs(type: DataType): Wire | undefined;
  /** A moment, `2024-01-31 23:59:59.123456` in UTC, in SQL that the column is compared with; undefined where it holds no times. */
  momentSql(utc: string): string | undefined;
  /** What to declare it as; undefined where it can be nothing. */
  readonly suggested: DataType | undefined;
}

/** One connection, in one transaction whose every statement sees the same moment. Methods throw DatabaseTrouble. */
export interface DatabaseSession {
  /** Of what stands after FROM, in its order. */
  describe(from: string): Promise<readonly FoundColumn[]>;
  /** Writes the rows of a query whose columns are texts to the file, as they come. */
  read(sql: string, file: RowFile): Promise<void>;
  /** Tables that can be read, as users write them; for whoever looked for one in vain. */
  tables(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Implemented by `postgres/`, `mysql/` and `snowflake/`; each passes test/contract/sources.test.ts. */
export interface DatabaseDriver {
  /** For messages. */
  readonly name: string;
  /** Of the URLs that it takes, without the colon. */
  readonly schemes: readonly string[];
  /** How such a URL is written, for messages. */
  readonly example: string;
  /** A name as it stands in the database's SQL. */
  quote(part: TablePart): string;
  /** Throws DatabaseTrouble. */
  open(url: string, options: SessionOptions): Promise<DatabaseSession>;
}

export interface SessionOptions extends Pick<DatabaseOptions, 'importSdk'> {
  readonly silenceMs: number;
}

/** How patient reads of databases are. */
export interface DatabaseOptions {
  /** How long one may say nothing, while it works on a query or between rows. */
  readonly silenceMs?: number;
  /** Wait before the first retry; it doubles with each. */
  readonly backoffMs?: number;
  /** Imports a database's own SDK, which users install where they need it; left out: the package of that name. */
  readonly importSdk?: (name: string) => Promise<unknown>;
}

export const DEFAULT_SILENCE_MS = 600_000;
export const DEFAULT_BACKOFF_MS = 1000;
