// What tasks are run with, without running any: secrets blanked, logs cut, frames read.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { openLogFile } from '../../src/orchestrator/step/log-file.ts';
import { createRedactor, redactText } from '../../src/orchestrator/step/redact.ts';
import { createFrameReader, encodeFrame, FRAME } from '../../src/orchestrator/step/typescript/frames.ts';
import { runs } from '../support/tier.ts';

const directory = mkdtempSync(join(tmpdir(), 'headrace-step-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** A text cut into pieces, anywhere. */
const pieces = (text: string) =>
  fc.array(fc.nat({ max: text.length }), { maxLength: 8 }).map((cuts) => {
    const places = [0, ...cuts.sort((a, b) => a - b), text.length];
    return places.slice(1).map((to, at) => text.slice(places[at], to));
  });

/** Whatever is part of a secret, wherever secrets lie within or across each other. */
function blanked(text: string, secrets: readonly string[]): string {
  const isSecret = Array.from(text, () => false);
  for (const secret of secrets)
    for (let at = 0; at < text.length; at++)
      if (text.startsWith(secret, at)) isSecret.fill(true, at, at + secret.length);
  return Array.from(text, (letter, at) =>
    isSecret[at] === true ? (isSecret[at - 1] === true ? '' : '***') : letter,
  ).join('');
}

describe('secrets', () => {
  it('are blanked the same, however what holds them is cut', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '\n'), maxLength: 40 });
    const secrets = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 5 }), {
      minLength: 1,
      maxLength: 3,
    });
    const given = fc
      .tuple(letters, secrets)
      .chain(([text, hidden]) => fc.tuple(fc.constant(text), fc.constant(hidden), pieces(text)));
    fc.assert(
      fc.property(given, ([text, hidden, parts]) => {
        const redactor = createRedactor(hidden);
        const shown = Buffer.concat([...parts.map((part) => redactor.pass(Buffer.from(part))), redactor.end()]);
        expect(shown.toString()).toBe(blanked(text, hidden));
        expect(redactText(text, hidden)).toBe(blanked(text, hidden));
      }),
      { numRuns: runs(2000) },
    );
  });
});

describe('a log', () => {
  it('keeps the first and the last MiB, and says how much is left out', () => {
    const mib = 2 ** 20;
    const path = join(directory, 'log.txt');
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1_500_000 }), { maxLength: 8 }), (sizes) => {
        const all = Buffer.concat(sizes.map((size, at) => Buffer.alloc(size, String.fromCharCode(97 + at))));
        const log = openLogFile(path);
        const stream = log.stream();
        let at = 0;
        for (const size of sizes) {
          stream.write(all.subarray(at, at + size));
          at += size;
        }
        expect(log.end()).toBe(all.length > 0);
        if (all.length === 0) return;
        const left = all.length - 2 * mib;
        const said = `\n… ${left} bytes are left out here: the first and the last 1 MiB are kept …\n`;
        const expected =
          left <= 0 ? all : Buffer.concat([all.subarray(0, mib), Buffer.from(said), all.subarray(all.length - mib)]);
        expect(readFileSync(path).equals(expected)).toBe(true);
      }),
      { numRuns: runs(60) },
    );
  });
});

describe('frames', () => {
  it('come out as they went in, however the pipe cuts them', () => {
    const frames = fc.array(fc.tuple(fc.constantFrom(...Object.values(FRAME)), fc.string({ maxLength: 50 })), {
      maxLength: 10,
    });
    fc.assert(
      fc.property(frames, fc.integer({ min: 1, max: 20 }), (given, step) => {
        const bytes = Buffer.concat(given.map(([kind, text]) => encodeFrame(kind, text)));
        const read: [number, string][] = [];
        const reader = createFrameReader(
          (kind, payload) => read.push([kind, payload.toString()]),
          () => expect.fail('frames are no noise'),
        );
        for (let at = 0; at < bytes.length; at += step) reader(bytes.subarray(at, at + step));
        expect(read).toEqual(given);
      }),
    );
  });

  it('are told from noise once, after which nothing is heard, and little of it is held', () => {
    const noise = fc.array(fc.uint8Array({ minLength: 1, maxLength: 60 }), { maxLength: 30 });
    fc.assert(
      fc.property(noise, (chunks) => {
        let broken = 0;
        const reader = createFrameReader(
          (kind) => {
            expect(broken).toBe(0);
            expect(Object.values(FRAME)).toContain(kind);
          },
          () => {
            broken += 1;
          },
        );
        for (const chunk of chunks) reader(Buffer.from(chunk));
        reader(Buffer.from('lies of four gigabytes'));
        expect(broken).toBeLessThanOrEqual(1);
      }),
    );
    const heard = vi.fn();
    createFrameReader(expect.fail, heard)(Buffer.from([0xff, 0xff, 0xff, 0xff, FRAME.result]));
    expect(heard).toHaveBeenCalledOnce();
  });
});
