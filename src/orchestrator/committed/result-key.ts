// Where a task's result and its failures lie in the artifact store, for runs that are driven by another system.

export interface CommittedTask {
  readonly run: string;
  readonly step: string;
  /** The item of each group around it, as '17/3'; '' at the top. */
  readonly scope: string;
  readonly index: number;
}

/** Made once, if absent: that is what makes an attempt the one that counts. */
export function resultKey(task: CommittedTask): string {
  return `${folderOf(task)}/result.json`;
}

/** Why an attempt failed, for whoever reads the run later; no attempt goes by it. */
export function failureKey(task: CommittedTask, attempt: number): string {
  return `${folderOf(task)}/failure-${attempt}.json`;
}

/** That what ran an attempt died, which is no failure of its own. */
export function lossKey(task: CommittedTask, attempt: number): string {
  return `${folderOf(task)}/lost-${attempt}.json`;
}

function folderOf({ run, step, scope, index }: CommittedTask): string {
  return `runs/${run}/${step}/${scope === '' ? '' : `${scope}/`}${index}`;
}
