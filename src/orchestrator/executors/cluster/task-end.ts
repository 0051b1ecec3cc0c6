// What became of a task whose container has ended: its result, else why this attempt failed, else what the container's end says.

import { toHeadraceError } from '../../../core/index.ts';
import type { ObjectStore } from '../../../storage/index.ts';
import { LOST_EXIT_CODE } from '../../committed/exit-code.ts';
import type { CommittedTask } from '../../committed/result-key.ts';
import { readFailure, readResult } from '../../committed/stored-result.ts';
import { FINAL_EXIT_CODE, type TaskOutcome } from '../../step/outcome.ts';
import type { PartEnd } from './cluster-jobs.ts';

export type ClusterTaskEnd = Exclude<TaskOutcome, { kind: 'stopped' }>;

/** How a container ended, without which one it was. */
export type ContainerEnd = PartEnd extends infer End
  ? End extends PartEnd
    ? Omit<End, 'job' | 'part'>
    : never
  : never;

/** Undefined where the store has nothing of this attempt. Throws HR_STORAGE_UNAVAILABLE. */
export async function storedEnd(
  objects: ObjectStore,
  task: CommittedTask,
  attempt: number,
): Promise<ClusterTaskEnd | undefined> {
  try {
    const result = await readResult(objects, task);
    if (result !== undefined) return { kind: 'succeeded', output: result.output, files: result.files };
    return await readFailure(objects, task, attempt);
  } catch (error) {
    const { code, message } = toHeadraceError(error);
    if (code !== 'HR_ARTIFACT_UNREADABLE') throw error;
    return { kind: 'failed', cause: 'exit', reason: message, isFinal: true };
  }
}

/** Of a task of which the store has nothing, once nothing of its container runs. */
export function endByContainer(end: ContainerEnd): ClusterTaskEnd {
  switch (end.kind) {
    case 'lost':
      return { kind: 'lost', reason: end.reason };
    case 'failed':
      return { kind: 'failed', cause: end.cause, reason: end.reason, isFinal: false };
    case 'refused':
      return { kind: 'failed', cause: 'exit', reason: end.reason, isFinal: true };
    case 'exited':
      return byExitCode(end.code);
  }
}

function byExitCode(code: number): ClusterTaskEnd {
  const failed = (reason: string, isFinal: boolean): ClusterTaskEnd => ({
    kind: 'failed',
    cause: 'exit',
    reason,
    isFinal,
  });
  switch (code) {
    case LOST_EXIT_CODE:
      return {
        kind: 'lost',
        reason: 'its container was stopped before the task ended, or could not reach the artifact store (exit code 75)',
      };
    // SIGKILL and SIGTERM from outside: a node that is drained, a pod that is pushed off it.
    case 137:
    case 143:
      return { kind: 'lost', reason: `its container was ended from outside (exit code ${code})` };
    case 126:
    case 127:
      return failed(
        `its container could not start \`headrace\` (exit code ${code}); the image must have it on the PATH`,
        true,
      );
    case FINAL_EXIT_CODE:
      return failed(
        '`headrace step` could not begin in its container (exit code 78), as the log of the container says',
        true,
      );
    case 0:
      return failed(
        'its container ended with exit code 0 and left no result; its image must run the command that it is given',
        false,
      );
    default:
      return failed(
        `its container ended with exit code ${code} before the task did, as the log of the container says`,
        false,
      );
  }
}
