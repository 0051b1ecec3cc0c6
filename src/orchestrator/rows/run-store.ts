// Runs as rows: the port by which a driver, a scheduler and whoever looks at runs reach them.

import type { Json, Micros } from '../../core/index.ts';
import type { PipelineSpec } from '../../definitions/index.ts';
import type {
  Batch,
  RunState,
  StepKey,
  TaskCounts,
  TaskOutput,
  TaskState,
  SliceChange,
  StepChange,
  TaskChange,
} from '../engine/batch.ts';

/** What came that a run answers: positions in its owner's records, which are rows that were pushed, runs of materialize, or times. */
export interface RunTrigger {
  readonly kind: 'materialized' | 'pushed' | 'drift';
  /** The view, source or endpoint. */
  readonly of: string;
  /** What the run before has answered, and up to where this one does. */
  readonly after: number;
  readonly through: number;
}

export interface NewRun {
  /** Left out: one that no run has. */
  readonly id?: string;
  readonly pipeline: PipelineSpec;
  readonly params: Readonly<Record<string, unknown>>;
  readonly manifestHash: string;
  /** The time of its schedule that it is for. */
  readonly tick?: Micros;
  /** Its first event tells it, as JSON. */
  readonly trigger?: RunTrigger;
  /** The run that it repeats a part of. */
  readonly parent?: string;
  /** Who prepared it, where another system drives it. */
  readonly elsewhere?: string;
  /** When it was prepared; left out: now. */
  readonly createdAt?: Micros;
  readonly keepGoing: boolean;
  readonly state: 'queued' | 'running';
  /** Those at the top that are to be done; steps of groups come with the batches that open them. */
  readonly steps: readonly StepKey[];
  /** Steps and groups that were done by another run: their rows are taken from it, with those of their tasks. */
  readonly copies?: { readonly run: string; readonly steps: readonly string[] };
}

/** A run without what it goes by. */
export interface RunSummary {
  readonly id: string;
  readonly pipeline: string;
  readonly state: RunState;
  readonly tick: Micros | null;
  readonly parent: string | null;
  /** Who prepared it, where another system drives it: its rows are made of its results. */
  readonly elsewhere: string | null;
  readonly isCancelRequested: boolean;
  readonly error: string | null;
  /** Who drives it, or did last. */
  readonly driver: string | null;
  /** Whether that driver may be at work: its lease lives, as far as anybody knows. */
  readonly isDriven: boolean;
  readonly createdAt: Micros;
  readonly startedAt: Micros | null;
  readonly endedAt: Micros | null;
}

export interface ListedRun extends RunSummary {
  /** Tasks of all its steps together; `children` of those that have opened. */
  readonly counts: TaskCounts & { readonly children: number };
  /** Left out where no trigger made it. */
  readonly trigger?: RunTrigger;
}

export interface StoredRun extends RunSummary {
  readonly spec: PipelineSpec;
  readonly params: Readonly<Record<string, Json>>;
  readonly manifestHash: string;
  readonly keepGoing: boolean;
  /** The number of its last event, 0 before the first. */
  readonly lastEvent: number;
}

/** A step's row, or a group's, which counts items and has no order. */
/** As the last batch that changed it left it. */
export type StoredStep = StepChange;

/** A task that is not finished, as a driver needs it. */
export interface OpenTask extends StepKey {
  readonly index: number;
  readonly state: 'running' | 'retry' | 'failed';
  readonly attempt: number;
  readonly failures: number;
  readonly losses: number;
  readonly notBefore: Micros;
  readonly slice: string | null;
  readonly code: string | null;
  readonly startedAt: Micros | null;
}

/** How many tasks of a step were made by some code, and in which run where they were copied. */
export interface StepCode {
  readonly step: string;
  readonly code: string | null;
  readonly from: string | null;
  readonly tasks: number;
}

export type StoredTask = Omit<TaskChange, 'expects'>;

export type StoredSlice = SliceChange;

export interface StoredEvent {
  /** From 1 on, without gaps. */
  readonly number: number;
  readonly at: Micros;
  readonly kind: string;
  readonly step: string | null;
  readonly scope: string | null;
  readonly index: number | null;
  readonly count: number | null;
  readonly attempt: number | null;
  readonly message: string | null;
}

/** What a driver asks of a pool: so many slots in all, of as many as its settings say that there are. */
export interface AskedSlots {
  readonly pool: string;
  readonly size: number;
  readonly wanted: number;
}

export interface PoolSlots {
  readonly pool: string;
  /** The run's from now on. */
  readonly held: number;
  /** As many as it may go on to hold: others wait for what is above it. */
  readonly share: number;
}

/** A run that has slots of a pool, or waits for some. */
export interface PoolHolder {
  readonly pool: string;
  readonly run: string;
  readonly pipeline: string;
  readonly slots: number;
  readonly wanted: number;
  /** How many the pool has, by the settings of its driver. */
  readonly size: number;
  readonly isDriven: boolean;
}

/** What a driver goes on from. */
export interface LoadedRun {
  readonly run: StoredRun;
  readonly steps: readonly StoredStep[];
  /** Those that run, are to be tried again, or failed; of cancelled and finished ones the steps' counts tell. */
  readonly tasks: readonly OpenTask[];
  /** Those of which a task still runs. */
  readonly slices: readonly StoredSlice[];
  /** Slots of pools that the run has, whoever drove it before. */
  readonly pools: readonly { readonly pool: string; readonly slots: number }[];
}

/** A run in a driver's hands. */
export interface Hold {
  readonly epoch: number;
  readonly isCancelRequested: boolean;
}

export interface Flushed {
  /** Whether somebody has asked for the run to be cancelled. */
  readonly isCancelRequested: boolean;
  /** Changes of tasks that were not at the attempt that they expected, and fresh claims of tasks that there were. */
  readonly refused: number;
}

export interface ListRuns {
  readonly pipeline?: string;
  readonly state?: RunState;
  /** Default: 100. */
  readonly limit?: number;
  /** Those with a tick alone, the latest first. */
  readonly byTick?: boolean;
  /** The last run of the page before. */
  readonly before?: Pick<RunSummary, 'id' | 'createdAt'>;
}

export interface ListTasks {
  /** Default: '', at the top. */
  readonly scope?: string;
  readonly state?: TaskState;
  /** The first index. */
  readonly from?: number;
  /** Default: 100. */
  readonly limit?: number;
}

export interface Resume {
  /** False: finished tasks and steps run again too. */
  readonly keepDone: boolean;
  /** What it goes by from now on; left out: what it went by. */
  readonly code?: {
    readonly pipeline: PipelineSpec;
    readonly manifestHash: string;
    /** Left out: as they were. */
    readonly params?: Readonly<Record<string, unknown>>;
  };
  /**
   * The run's `lastEvent` as this was asked for, where it may have had to wait since: of it and a request to cancel the later holds.
   * Left out: now.
   */
  readonly asked?: number;
}

export interface TakeOptions {
  readonly atMost?: number;
  readonly isElsewhere?: boolean;
}

export interface CancelOptions {
  /** A sentence: in the event, and as the run's error where it is cancelled at once. */
  readonly reason?: string;
  /** One that somebody has taken by now goes on. */
  readonly onlyQueued?: boolean;
}

/** What waits for a driver. */
export interface DueRuns {
  /** By pipeline: how many go on, and those that wait for their turn, the oldest first. */
  readonly queued: readonly { readonly pipeline: string; readonly going: number; readonly runs: readonly string[] }[];
  /** Those that go on and whose driver's lease ran out or was given back. */
  readonly abandoned: readonly { readonly id: string; readonly pipeline: string }[];
}

/**
 * Runs as rows, in SQLite or Postgres. A run has one driver at a time: who takes it gets an epoch, and every batch of another
 * epoch is refused whole. Errors: HR_UNKNOWN_RUN for a run that is not there, and what the database throws.
 */
export interface RunStore {
  /** A pipeline has one run a tick: of a second the first one's id is given, and `isNew` is false. The same id again is the same run. */
  create(run: NewRun): Promise<{ readonly id: string; readonly isNew: boolean }>;
  /**
   * Takes a run that is queued or goes on, for 15 s by the database's clock; `driver` names who does (`newOwner`), and gets the next epoch where it asks again. A queued one runs
   * from then on. Throws RunHeldError (HR_CONFLICT) while another's lease lives, HR_CONFLICT for one that has ended, and for a
   * queued one while `atMost` runs of its pipeline go on. A run that is driven elsewhere is taken by what makes its rows of its results alone
   * (`isElsewhere`), and no other: HR_CONFLICT.
   */
  take(id: string, driver: string, options?: TakeOptions): Promise<Hold>;
  /** 15 s from now on. `lost`: another has it, or had, or it has ended. */
  renew(id: string, epoch: number): Promise<'held' | 'cancelled' | 'lost'>;
  /** The same, and nothing is written: for whoever was woken, and must not wake others by that. */
  look(id: string, epoch: number): Promise<'held' | 'cancelled' | 'lost'>;
  /**
   * Lets go of it, and of its slots where nothing of it runs; nothing of this epoch is written any more. Where somebody has asked for it
   * to be cancelled it is, unless an executor elsewhere still runs some of it.
   */
  release(id: string, epoch: number): Promise<void>;
  load(id: string): Promise<LoadedRun>;
  /**
   * Writes a batch in one transaction, and renews the lease. `number`: 1 for the first after `take`, then one more each; a batch
   * whose answer was lost is flushed again by its number, and is written once. Throws HR_CONFLICT where the run was lost.
   */
  flush(id: string, epoch: number, number: number, batch: Batch): Promise<Flushed>;
  /**
   * Asks its driver; one that nobody drives is cancelled at once, unless an executor elsewhere still runs some of it. False: it had
   * ended, or goes on where only a queued one was meant. Whoever had asked before for it to go on, and waits, does not.
   */
  requestCancel(id: string, options?: CancelOptions): Promise<boolean>;
  /**
   * Lets an ended run wait for a driver again: what failed or was cancelled may run anew, with all its tries; its steps wait, to be
   * made ready by the code of now, and its groups' items are open again. False: there is nothing left to do. Throws RunHeldError (HR_CONFLICT)
   * while it is driven, CancelledSinceError (HR_CONFLICT) where it was to be cancelled since it was `asked`.
   */
  requestResume(id: string, resume: Resume): Promise<boolean>;
  /**
   * Takes back all that was made of a run's results, to be made anew: of one that is driven elsewhere, and that nobody has now. Throws RunHeldError
   * (HR_CONFLICT), HR_CONFLICT for a run that is driven here.
   */
  restart(id: string): Promise<void>;
  /** The newest first. */
  list(wanted?: ListRuns): Promise<readonly ListedRun[]>;
  get(id: string): Promise<{ readonly run: StoredRun; readonly steps: readonly StoredStep[] }>;
  /** By index. */
  tasks(id: string, step: string, wanted?: ListTasks): Promise<readonly StoredTask[]>;
  /** Of the finished tasks, by index, read in pages. */
  outputs(
    id: string,
    step: string,
    scope?: string,
  ): AsyncIterable<{ readonly index: number; readonly output: TaskOutput }>;
  /** What is kept of tasks by these keys, with the run that did them. */
  cached(keys: readonly string[]): Promise<ReadonlyMap<string, { readonly output: TaskOutput; readonly run: string }>>;
  /** Of finished tasks: by which code they were made. Reads each of them. */
  codes(id: string): Promise<readonly StepCode[]>;
  /** What became of it as it was edited and gone on with, in order. */
  edits(id: string): Promise<readonly StoredEvent[]>;
  /** Those after that number; at most 1,000 at once. */
  events(id: string, after?: number): Promise<readonly StoredEvent[]>;
  /** Who ever drove it and had its tasks on their own machines, with whether some of those tasks go on by its rows. */
  localDrivers(id: string): Promise<readonly { readonly driver: string; readonly isBusy: boolean }[]>;
  due(): Promise<DueRuns>;
  /**
   * Asks for slots of pools; what is free is shared evenly among runs that are driven, and who waits for its first has its turn. A
   * run's slots are its own until a batch gives them back or it ends, also where its driver dies. `lost`: another has the run.
   */
  askSlots(id: string, epoch: number, asked: readonly AskedSlots[]): Promise<readonly PoolSlots[] | 'lost'>;
  /** Who has slots of these pools, and who waits for some. */
  poolHolders(pools: readonly string[]): Promise<readonly PoolHolder[]>;
  /** As `listen`, for slots that were taken, given back, or are waited for. */
  listenToPools(wake: () => void): Promise<() => Promise<void>>;
  /**
   * Calls `wake` soon after runs were made, let go, ended, cancelled or resumed by any process, and at times for nothing. Gives what
   * ends it.
   */
  listen(wake: () => void): Promise<() => Promise<void>>;
}
