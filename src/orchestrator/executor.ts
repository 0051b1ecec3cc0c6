// The executor port: where a step's code runs. `local/` runs it as processes of this machine.

/** One attempt at one task. All paths are absolute. */
export interface StepJob {
  readonly runId: string;
  readonly step: string;
  readonly index: number;
  readonly attempt: number;
  /** The CPUs that the step asked for, when it did. */
  readonly cpus?: number;
  /** The working directory: the feature repository as far as it travels with the step, on every machine. */
  readonly directory: string;
  /** A task's `file` holds its function's bundle. */
  readonly code:
    | { readonly kind: 'task'; readonly functionId: string; readonly file: string }
    | { readonly kind: 'python'; readonly script: string; readonly requirements?: string };
  /** The step's input as JSON; see docs/reference/step-environment.md. */
  readonly inputFile: string;
  /** An empty folder; `result.json` and any other files go there. */
  readonly outputDirectory: string;
  /** Output streams here as it is written. */
  readonly logFile: string;
}

/** How an attempt ended; a reason is a sentence for the user. `isFinal`: trying again can't help. */
export type StepOutcome =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: string; readonly isFinal?: boolean };

export interface Executor {
  /**
   * Runs one attempt to its end. On abort every process that it started is killed, and only then it resolves.
   * When the process that called it dies, what it started dies too.
   */
  run(job: StepJob, signal: AbortSignal): Promise<StepOutcome>;
}
