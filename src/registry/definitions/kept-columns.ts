// Columns that a source loses and that versions which are kept go on reading: whoever sends them has to go on doing so. Pure.

import {
  isLogAlone,
  type Manifest,
  resolveService,
  type SourceSpec,
  sourceOfView,
  viewColumns,
} from '../../definitions/index.ts';
import type { ModelInUse } from './in-use.ts';
import { describeTouched, mergeTouched } from './touched.ts';

/** A sentence for each column that the source loses, in their order. */
export function keptColumnHints(
  before: SourceSpec | undefined,
  after: SourceSpec | undefined,
  models: readonly ModelInUse[],
): readonly string[] {
  // Of a source that comes or goes all that is told is that it does.
  if (before === undefined || after === undefined) return [];
  const lost = before.columns.filter(({ name }) => after.columns.every((column) => column.name !== name));
  if (lost.length === 0) return [];
  const readers = models.map((one) => ({ ...one, columns: declaredRead(one.manifest, one.service, before.name) }));
  return lost.flatMap(({ name }) => {
    const reading = readers.filter(({ columns }) => columns.has(name));
    if (reading.length === 0) return [];
    const who = mergeTouched(
      reading.map(({ model, version }) => ({ kind: 'model', model, versions: [version], features: [] })),
    ).map(describeTouched);
    const verb = reading.length === 1 ? 'goes' : 'go';
    const files = isLogAlone(after) ? '' : ', and keep it in the files';
    return [`${who.join(', ')} ${verb} on reading column "${name}": go on sending it${files}`];
  });
}

/** Declared columns of the source. */
function declaredRead(manifest: Manifest, service: string, source: string): ReadonlySet<string> {
  if (!Object.hasOwn(manifest.services, service)) return new Set();
  const views = resolveService(manifest, service).reads.map(({ view }) => view);
  const over = views.filter((view) => view.source === source);
  return new Set(
    over.flatMap((view) => viewColumns(sourceOfView({ manifest }, view.name), view).declared.map(({ name }) => name)),
  );
}
