// Rows of text on their way to DuckDB: a file of lines in the form of Postgres's COPY, with tabs between values, `\N` for
// null and a backslash before what would end a value or a line. Written as rows come, so memory holds a buffer and no more.

import { closeSync, openSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { quoteText } from '../../../storage/index.ts';

const BUFFER_BYTES = 1 << 20;
/** DuckDB's own limit of a line, which is raised where a line is longer. */
const LINE_BYTES = 2 << 20;
const ESCAPED = /[\\\n\r\t\b\f\v]/;
const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\f': '\\f',
  '\v': '\\v',
};

/** A class, as it holds a file from the first row to the last. Its writes wait for the disk: so does the database then. */
export class RowFile {
  readonly #path: string;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);
  #file: number;
  #used = 0;
  #longest = 0;
  rows = 0;

  constructor(path: string) {
    this.#path = path;
    this.#file = openSync(path, 'w');
  }

  /** A row's values. */
  add(values: readonly (string | null)[]): void {
    let line = '';
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? null;
      if (i > 0) line += '\t';
      line += value === null ? '\\N' : ESCAPED.test(value) ? escaped(value) : value;
    }
    this.addLine(Buffer.from(`${line}\n`));
  }

  /** A row in the file's form already, its end of line included. The bytes are the caller's again afterwards. */
  addLine(line: Uint8Array): void {
    this.rows++;
    if (line.length > this.#longest) this.#longest = line.length;
    if (this.#used + line.length > BUFFER_BYTES) this.#flush();
    if (line.length > BUFFER_BYTES) writeAll(this.#file, line);
    else {
      this.#buffer.set(line, this.#used);
      this.#used += line.length;
    }
  }

  /** Everything is in the file afterwards; what stands after FROM gives its columns as texts: t0, t1, … */
  relation(columns: number): string {
    this.#flush();
    const names = Array.from({ length: columns }, (_, i) => `'t${i}': 'VARCHAR'`);
    const lineBytes = Math.max(LINE_BYTES, this.#longest + 1);
    const bufferBytes = Math.max(LINE_BYTES * 16, lineBytes * 2);
    return (
      `read_csv(${quoteText(this.#path)}, columns = {${names.join(', ')}}, auto_detect = false, header = false, ` +
      `delim = '\\t', quote = '', escape = '', comment = '', nullstr = '\\N', new_line = '\\n', ` +
      `max_line_size = ${lineBytes}, buffer_size = ${bufferBytes})`
    );
  }

  /** For rows that are read again from the start. */
  clear(): void {
    closeSync(this.#file);
    this.#file = openSync(this.#path, 'w');
    this.#used = 0;
    this.#longest = 0;
    this.rows = 0;
  }

  async remove(): Promise<void> {
    closeSync(this.#file);
    await rm(this.#path, { force: true });
  }

  #flush(): void {
    writeAll(this.#file, this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}

// A disk that is nearly full takes a part of it.
function writeAll(file: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}

const escaped = (text: string): string => text.replaceAll(/[\\\n\r\t\b\f\v]/g, (sign) => ESCAPES[sign] as string);
