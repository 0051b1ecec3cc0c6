// Prints how often V8 looked through its whole heap while buffers of a megabyte came and went: counted with the heap, or not.

import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { countOutsideMemoryWithTheHeap } from '../../src/app/count-outside-memory.ts';

interface Collection {
  readonly detail: { readonly kind: number };
}

const MEGABYTE = 1 << 20;
if (process.argv[2] === 'counted') countOutsideMemoryWithTheHeap();
let whole = 0;
const watch = new PerformanceObserver((list) => {
  for (const entry of list.getEntries() as unknown as readonly Collection[])
    if (entry.detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) whole++;
});
watch.observe({ entryTypes: ['gc'] });
// A heap as a server has one.
const held = Array.from({ length: 300_000 }, (_, at) => ({ at, name: `held ${at}` }));
let megabytes = 0;
for (let at = 0; at < 2000; at++) {
  megabytes += Buffer.allocUnsafeSlow(MEGABYTE).length / MEGABYTE;
  await setImmediate();
}
watch.disconnect();
console.log(JSON.stringify({ whole, megabytes, held: held.length }));
