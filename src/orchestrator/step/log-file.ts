// What an attempt prints, kept as a file: the first MiB as it comes, the last one at the end, and a line in between that says
// how much is left out. However much is printed, no more than that is held. A disk that takes no more is no reason for the attempt
// to fail, nor for those beside it: what was not written is held as if it came later, and tried again at the end.

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { messageOf } from '../../core/index.ts';
import { createLastLine } from './last-line.ts';
import { createRedactor, redactText } from './redact.ts';

const KEPT_BYTES = 2 ** 20;

export interface LogFile {
  /** One of stdout and stderr: secrets are looked for in each alone. */
  stream(): LogStream;
  /** A line of the engine's own. */
  line(text: string): void;
  /** Writes the rest, as far as the disk takes it. True when anything was printed and there is a file of it. */
  end(): boolean;
}

export interface LogStream {
  write(chunk: Buffer): void;
  /** Of what was printed so far, without secrets. */
  lastLine(): string | undefined;
}

/** A log at `path`; the values of `secrets` are blanked in it. */
export function openLogFile(path: string, secrets: readonly string[] = []): LogFile {
  let file: number | undefined;
  let written = 0;
  /** Why the disk took no more. */
  let fault: string | undefined;
  const tail = createRing(KEPT_BYTES);
  const endings: (() => void)[] = [];

  const append = (bytes: Buffer): void => {
    if (bytes.length === 0) return;
    const head = fault === undefined ? bytes.subarray(0, KEPT_BYTES - written) : bytes.subarray(0, 0);
    const took = write(head);
    written += took;
    tail.push(bytes.subarray(took));
  };

  /** How many of the bytes there is room for. */
  const write = (bytes: Buffer): number => {
    let at = 0;
    try {
      if (file === undefined && bytes.length > 0) {
        mkdirSync(dirname(path), { recursive: true });
        file = openSync(path, 'w');
      }
      while (file !== undefined && at < bytes.length) at += writeSync(file, bytes, at);
    } catch (error) {
      fault = messageOf(error);
    }
    return at;
  };

  return {
    stream() {
      const redactor = createRedactor(secrets);
      const lastLine = createLastLine();
      endings.push(() => append(redactor.end()));
      return {
        write(chunk) {
          const shown = redactor.pass(chunk);
          append(shown);
          lastLine.write(shown);
        },
        lastLine: () => lastLine.text(),
      };
    },
    line: (text) => append(Buffer.from(`${redactText(text, secrets)}\n`)),
    end() {
      for (const ending of endings.splice(0)) ending();
      const leftOut = tail.dropped();
      if (leftOut > 0) {
        const mib = (KEPT_BYTES / 2 ** 20).toFixed(0);
        const why = fault === undefined ? `the first and the last ${mib} MiB are kept` : fault;
        write(Buffer.from(`\n… ${leftOut} bytes are left out here: ${why} …\n`));
      }
      for (const bytes of tail.parts()) write(bytes);
      if (file === undefined) return false;
      closeSync(file);
      file = undefined;
      return true;
    },
  };
}

interface Ring {
  push(bytes: Buffer): void;
  dropped(): number;
  /** What it holds, oldest first. */
  parts(): readonly Buffer[];
}

/** The last `size` bytes of all that was pushed. */
function createRing(size: number): Ring {
  let buffer: Buffer | undefined;
  let total = 0;
  return {
    push(bytes) {
      if (bytes.length === 0) return;
      buffer ??= Buffer.allocUnsafe(size);
      const last = bytes.subarray(Math.max(0, bytes.length - size));
      const at = (total + bytes.length - last.length) % size;
      const fits = last.copy(buffer, at);
      last.copy(buffer, 0, fits);
      total += bytes.length;
    },
    dropped: () => Math.max(0, total - size),
    parts() {
      if (buffer === undefined) return [];
      const at = total % size;
      return total <= size ? [buffer.subarray(0, total)] : [buffer.subarray(at), buffer.subarray(0, at)];
    },
  };
}
