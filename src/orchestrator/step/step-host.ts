// What tasks run with on one machine, whatever their kind: shared by all tasks of a launcher, or of one `headrace step`.

import type { ObjectStore } from '../../storage/index.ts';
import type { AttemptFolders } from './attempt-folders.ts';
import type { FileCache } from './file-cache.ts';
import type { MemoryLimits } from './memory-limits.ts';
import type { PythonEnvironments } from './python-environment.ts';
import type { Sweeper } from './sweeper.ts';

export interface StepHost {
  /** In the mark of every process: a sweep goes by it. */
  readonly driver: string;
  readonly objects: ObjectStore;
  readonly cache: FileCache;
  readonly environments: PythonEnvironments;
  readonly folders: AttemptFolders;
  readonly memory: MemoryLimits;
  readonly sweeper: Sweeper;
  /** Folders of attempts while they run. */
  readonly scratch: string;
  /** Logs are kept under it, as run-logs.ts finds them. */
  readonly workDirectory: string;
  /** The feature repository: where scripts that do not travel lie. */
  readonly repository: string;
  /** The driver's variables: of them steps inherit a few, and secrets name others. */
  readonly variables: Readonly<Record<string, string | undefined>>;
  /** Between SIGTERM and SIGKILL. */
  readonly graceMs: number;
}
