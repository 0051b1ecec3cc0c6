// What a look at a place finds: its columns, and what each could be declared as.

import type { DataType } from '../../core/index.ts';
import type { PartitionUnit, SourceKind } from '../../definitions/index.ts';

export interface InspectedColumn {
  readonly name: string;
  /** As the place calls it. */
  readonly type: string;
  /** Undefined where it can be no column of a source. */
  readonly suggested: DataType | undefined;
}

export interface InspectedPlace {
  readonly kind: SourceKind;
  /** As the source's location is to be written. */
  readonly location: Readonly<Record<string, string>>;
  readonly columns: readonly InspectedColumn[];
  /** Folders of its path that sound like days or hours, as a source's `partitions` has them; left out for none. */
  readonly partitions?: Readonly<Record<string, PartitionUnit>>;
  /** What else whoever declares it should know; in sentences. */
  readonly notes: readonly string[];
}
