// One attempt at a step that is a process: a folder for it, its command run, its output stored, its log kept.

import { join } from 'node:path';
import type { StepAction } from '../../definitions/index.ts';
import { taskDirectory } from '../run-logs.ts';
import type { AttemptFolder } from './attempt-folders.ts';
import { inputOf } from './input.ts';
import { openLogFile } from './log-file.ts';
import { attemptMark } from './marks.ts';
import { failure, type TaskOutcome } from './outcome.ts';
import type { PreparedOrder } from './prepared-order.ts';
import { redactText } from './redact.ts';
import { collectOutput } from './result.ts';
import { containerCommand } from './run-container.ts';
import { notebookCommand } from './run-notebook.ts';
import { type Command, type ProcessOutcome, type RunProcess, runProcess } from './run-process.ts';
import { pythonCommand } from './run-python.ts';
import { shellCommand } from './run-shell.ts';
import type { StepHost } from './step-host.ts';
import { failureOf, reasonOf } from './step-failure.ts';
import { storeLog } from './store-log.ts';
import { unlessAborted } from './unless-aborted.ts';

export interface Attempt {
  readonly slice: string;
  readonly index: number;
  readonly attempt: number;
}

export type ScriptAction = Extract<StepAction, { kind: 'python' | 'notebook' | 'shell' | 'container' }>;

export function isScript(action: StepAction): action is ScriptAction {
  return ['python', 'notebook', 'shell', 'container'].includes(action.kind);
}

export interface ScriptRun {
  /** Settles once no process of it is left that takes a CPU; what it gave is stored after that. */
  readonly ended: Promise<ProcessOutcome>;
  readonly outcome: Promise<TaskOutcome>;
}

/** Runs one attempt to its end. Neither promise rejects. */
export function runScript(
  host: StepHost,
  prepared: PreparedOrder,
  at: Attempt,
  { turn, onStart, signal }: Pick<RunProcess, 'turn' | 'onStart' | 'signal'>,
): ScriptRun {
  const { order, secretValues } = prepared;
  let folder: AttemptFolder | undefined;
  const place = { runId: order.run, step: order.step, scope: order.scope, index: at.index, attempt: at.attempt };
  const logPath = join(taskDirectory(host.workDirectory, place), 'log.txt');
  const log = openLogFile(logPath, secretValues);
  const mark = attemptMark(host.driver, at.slice, at.index, at.attempt);

  const run = async (): Promise<ProcessOutcome> => {
    folder = host.folders.take(
      inputOf(order, prepared.input, at.index, at.attempt),
      'files' in order.action ? (order.action.files ?? []) : [],
    );
    // An environment may take minutes to build, and others wait for it too.
    const command = await unlessAborted(commandOf(host, prepared, folder, mark), signal);
    if (command === undefined) {
      // Its code is still being written there: nobody else gets it.
      folder = undefined;
      return { kind: 'stopped' };
    }
    if ('kind' in command) return command;
    return await runProcess({
      ...command,
      environment: command.environment,
      directory: folder.code,
      mark,
      log,
      turn,
      onStart,
      signal,
      memory: host.memory,
      sweeper: host.sweeper,
      timeoutMs: order.timeoutMs,
      memoryBytes: prepared.memoryBytes,
      graceMs: host.graceMs,
    });
  };
  const giveBack = async (): Promise<void> => {
    const end = await ended;
    // What a success left running may still write there.
    if (end.kind === 'done') await end.swept;
    if (folder !== undefined) host.folders.give(folder);
  };
  const ended = run().catch((error: unknown) => failureOf(error));
  const outcome = ended
    .then(async (end): Promise<TaskOutcome> => {
      if (log.end()) await storeLog(host.objects, place, logPath);
      if (end.kind === 'done' && folder !== undefined)
        return { kind: 'succeeded', ...(await collectOutput(host.objects, folder.output)) };
      if (end.kind === 'done') throw new Error('it ran in no folder');
      return end.kind === 'stopped' ? end : { ...end, reason: redactText(end.reason, secretValues) };
    })
    .catch((error: unknown) => failure(redactText(reasonOf(error), secretValues)))
    .finally(() => void giveBack());
  return { ended, outcome };
}

async function commandOf(
  host: StepHost,
  { order, variables, directory, memoryBytes }: PreparedOrder,
  folder: AttemptFolder,
  mark: string,
): Promise<Command | ReturnType<typeof failure>> {
  const { action } = order;
  await host.folders.placeCode(folder);
  const environment = {
    ...variables,
    HEADRACE_STEP_INPUT: folder.inputFile,
    HEADRACE_STEP_OUTPUT: folder.output,
  };
  switch (action.kind) {
    case 'python':
      return await pythonCommand(host, action, folder, environment);
    case 'notebook':
      return await notebookCommand(host, action, folder, environment);
    case 'shell':
      return shellCommand(action, environment);
    case 'container':
      return await containerCommand(host, action, folder, {
        environment,
        own: [...Object.keys(order.env), ...Object.keys(order.secrets)],
        files: join(directory, 'files'),
        cpu: order.resources.cpu,
        memoryBytes,
        mark,
      });
    default:
      return failure(`a step of kind "${action.kind}" is no process`, { isFinal: true });
  }
}
