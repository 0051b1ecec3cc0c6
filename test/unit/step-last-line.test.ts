// The last line of what a process printed, as the reason of its failure has it.

import { describe, expect, it } from 'vitest';
import { createLastLine } from '../../src/orchestrator/step/last-line.ts';

function lastLineOf(...chunks: readonly string[]): string | undefined {
  const line = createLastLine();
  for (const chunk of chunks) line.write(Buffer.from(chunk));
  return line.text();
}

describe('the last line of what a process prints', () => {
  it.each([
    { what: 'comes in one piece', chunks: ['one\ntwo\n'], line: 'two' },
    { what: 'comes in pieces', chunks: ['one\nt', 'w', 'o'], line: 'two' },
    { what: 'is followed by blanks', chunks: ['two\n', '\n  \n'], line: 'two' },
    { what: 'has been written over', chunks: ['10 %\r20 %\r'], line: '20 %' },
    { what: 'has colours', chunks: ['\u001b[1;31mno\u001b[0m rows\n'], line: 'no rows' },
    { what: 'is not there', chunks: ['\n \n'], line: undefined },
    { what: 'follows on much else', chunks: [`${'x'.repeat(100_000)}\n`, 'end\n'], line: 'end' },
  ])('that $what', ({ chunks, line }) => {
    expect(lastLineOf(...chunks)).toBe(line);
  });

  it('is cut where it is long, and left out where its beginning is not known any more', () => {
    expect(lastLineOf('x'.repeat(1000))).toBe(`${'x'.repeat(299)}…`);
    expect(lastLineOf('x'.repeat(10_000))).toBeUndefined();
  });
});
