// What an upload to a folder leaves where its process dies before the object has its name. A bucket keeps no such thing: an
// object is put there in one request, whole or not at all.

import { join } from 'node:path';
import type { Micros } from '../../../core/index.ts';
import type { Collector } from '../../collector.ts';
import { collectFiles } from '../../collect-files.ts';
import { PARTIAL } from './file-object-store.ts';

export interface PartialCollectorDeps {
  /** `artifacts.url`. */
  readonly url: string;
  readonly nowMicros: () => Micros;
  readonly keepMicros: Micros;
}

export function collectPartials({ url, nowMicros, keepMicros }: PartialCollectorDeps): Collector {
  const root = url.startsWith('file:') ? url.slice('file:'.length) : undefined;
  return collectFiles({
    name: 'partial object',
    folders: async () => (root === undefined ? [] : [join(root, PARTIAL)]),
    isOne: () => true,
    why: 'its upload was never finished',
    nowMicros,
    keepMicros,
  });
}
