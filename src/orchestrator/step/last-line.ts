// The last line of what a process prints, which most often says why it failed. However much is printed, a little of it is held.

import { stripVTControlCharacters } from 'node:util';

const MOST_BYTES = 4096;
const MOST_CHARACTERS = 300;

export interface LastLine {
  write(bytes: Buffer): void;
  /** Without colours, and cut where it is long; undefined where nothing was printed but blanks. */
  text(): string | undefined;
}

export function createLastLine(): LastLine {
  let held = Buffer.alloc(0);
  let isCut = false;
  return {
    write(bytes) {
      if (bytes.length === 0) return;
      const all = Buffer.concat([held, bytes.subarray(-MOST_BYTES)]);
      isCut ||= all.length > MOST_BYTES || bytes.length > MOST_BYTES;
      held = Buffer.from(all.subarray(-MOST_BYTES));
    },
    text() {
      // A progress bar writes over its line.
      const lines = stripVTControlCharacters(held.toString()).split(/[\r\n]+/);
      const whole = isCut ? lines.slice(1) : lines;
      const line = whole.findLast((one) => one.trim() !== '')?.trim();
      if (line === undefined || line.length <= MOST_CHARACTERS) return line;
      return `${line.slice(0, MOST_CHARACTERS - 1)}…`;
    },
  };
}
