// What is asked of a materialize of one version of a view.

import type { Micros } from '../../core/index.ts';
import type { LiveVersion } from '../../definitions/index.ts';

export interface RunRequest {
  readonly live: LiveVersion;
  /** For people: the view's name, with the version where it is not the one that is applied. */
  readonly view: string;
  readonly incremental: boolean;
  /** It runs although nothing is new. */
  readonly isDue: boolean;
  readonly from: Micros | undefined;
  readonly to: Micros | undefined;
}
