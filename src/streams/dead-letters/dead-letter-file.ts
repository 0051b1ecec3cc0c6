// Dead letters in a file: one JSON object a line, the bytes in base64.

import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { HeadraceError, messageOf } from '../../core/index.ts';
import type { DeadLetter, DeadLetters } from '../message-stream.ts';

/** Several processes may append to one file. */
export function openDeadLetterFile(path: string, topic: string): DeadLetters {
  return {
    name: path,
    async put(letters) {
      const lines = letters.map((letter) => `${lineOf(letter, topic)}\n`).join('');
      try {
        await mkdir(dirname(path), { recursive: true });
        const file = await open(path, 'a+');
        try {
          await file.appendFile((await endsInLine(file)) ? `\n${lines}` : lines);
          await file.sync();
        } finally {
          await file.close();
        }
      } catch (error) {
        throw new HeadraceError('HR_DEAD_LETTERS', `${path} takes no dead letters: ${messageOf(error)}`, {
          cause: error,
        });
      }
    },
    async close() {},
  };
}

/** A full disk or a kill left part of a line: what comes next must not be lost in it. */
async function endsInLine(file: FileHandle): Promise<boolean> {
  const { size } = await file.stat();
  if (size === 0) return false;
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== LINE_FEED;
}

const LINE_FEED = 0x0a;

function lineOf({ partition, message, reason }: DeadLetter, topic: string): string {
  const base64 = (bytes: Uint8Array | null): string | null =>
    bytes === null ? null : Buffer.from(bytes).toString('base64');
  const { offset, timestampMs, key, value, headers } = message;
  return JSON.stringify({
    reason,
    topic,
    partition,
    offset,
    timestamp: new Date(timestampMs).toISOString(),
    key: base64(key),
    value: base64(value),
    headers: headers.map(([name, bytes]) => [name, base64(bytes)]),
  });
}
