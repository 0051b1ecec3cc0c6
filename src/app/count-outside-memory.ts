// Memory that buffers have outside V8's heap: bodies, tensors, answers. By itself V8 looks through its whole heap for each 64 MB of it
// that came, however soon the buffers were let go: by requests of a megabyte that is every twentieth, and most of a server's time.

import { setFlagsFromString } from 'node:v8';

/**
 * From here on such memory counts with the heap, by whose size the next look is due, and that of buffers that lived for a moment
 * is given back by the short looks at new objects. The next whole look comes once both have doubled: V8 else comes to look
 * each time that a few large requests are under way.
 */
export function countOutsideMemoryWithTheHeap(): void {
  // V8 tells of a flag that it does not know on the process' own stderr: this was tried with 13 alone.
  if (!process.versions.v8.startsWith('13.')) return;
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  setFlagsFromString('--heap-growing-percent=100');
}
