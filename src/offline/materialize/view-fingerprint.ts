// Names what a view's records are computed by: under another fingerprint none of them can be carried on.

import { contentHash } from '../../core/index.ts';
import type { ViewCodec } from '../../online/index.ts';

/** Changes with the columns and windows of the view, its keys, and where and how its source finds rows. */
export function viewFingerprint({ fingerprint, view, entity, source }: ViewCodec): string {
  return contentHash({
    records: fingerprint,
    keys: [view.keyColumns, entity.keys],
    source: [source.name, source.kind, source.location, source.pushes],
    times: [source.eventTime, source.knownTime, source.createdOrder ?? null, source.tombstone ?? null],
    // A key or a time may be derived, and a column's type decides how it is read.
    columns: [source.columns, source.derive],
  });
}
