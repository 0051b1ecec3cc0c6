// What each kind of answer is counted as, over what it takes of memory, as JSON: a process of its own, with nothing else in it,
// started with --expose-gc.

import { randomBytes } from 'node:crypto';
import type { Value } from '../../src/core/index.ts';
import { createResponseCaches } from '../../src/serving/response-cache/response-caches.ts';

const ENTRIES = 20_000;
const collect = (globalThis as unknown as { gc(): void }).gc; // By its flag.
const keyOf = (bytes: number): string => randomBytes(bytes).toString('latin1');

function usedBytes(): number {
  collect();
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const ANSWERS: readonly (readonly [what: string, keyBytes: number, outputs: () => Value[]])[] = [
  ['a number, of 30 floats', 120, () => [Math.random()]],
  ['a number, of 2 floats', 8, () => [Math.random()]],
  ['three numbers, of 200 floats', 800, () => [Math.random(), Math.random(), Math.random()]],
  ['a whole number of 64 bits, of 30 floats', 120, () => [BigInt(Math.floor(Math.random() * 2 ** 53))]],
  ['a label of 20 signs, of 30 floats', 120, () => [randomBytes(10).toString('hex')]],
  ['a vector of 64, of 30 floats', 120, () => [new Float32Array(64)]],
  ['a vector of 512, of 30 floats', 120, () => [new Float32Array(512)]],
];

const measured = ANSWERS.map(([what, keyBytes, outputsOf]) => {
  const caches = createResponseCaches({ maxBytes: 2 ** 40 });
  const cache = caches.hold({ endpoint: 'e', arm: 'a' }, { ttlMicros: 3.6e9, maxBytes: 2 ** 40, maxEntries: 1e7 });
  const before = usedBytes();
  for (let i = 0; i < ENTRIES; i++) cache.put(keyOf(keyBytes), outputsOf());
  const tookBytes = usedBytes() - before;
  const [{ bytes, entries } = { bytes: 0, entries: 0 }] = caches.statistics();
  return { what, isWhole: entries === ENTRIES, ratio: bytes / tookBytes };
});
console.log(JSON.stringify(measured));
