// One attempt at one task: its input gathered, its code run, its output stored before anyone hears of it.

import { appendFileSync, readFileSync } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Json, HeadraceError, parseJson, stringifyJson, toHeadraceError } from '../core/index.ts';
import type { PipelineSpec, StepSpec } from '../definitions/index.ts';
import { getBlob, type ObjectStore, putBlob } from '../storage/index.ts';
import type { BuiltInContext } from './built-ins.ts';
import type { StepOutcome } from './executor.ts';
import { foreachItem } from './foreach.ts';
import { modelCandidates } from './model-candidates.ts';
import type { OrchestratorDeps } from './orchestrator-deps.ts';
import { logKey, taskDirectory } from './run-logs.ts';
import { unpackCode } from './step-code.ts';
import { attachFiles, forgetPaths } from './step/files.ts';
import { fetchFiles, storeFiles } from './step/stored-files.ts';
import type { Claim } from './task-rows.ts';

export interface RunContext {
  readonly pipeline: PipelineSpec;
  readonly params: Readonly<Record<string, unknown>>;
  /** Results of finished steps, by step. */
  readonly results: ReadonlyMap<string, unknown>;
}

export type TaskOutcome = { readonly ok: true; readonly output: string } | Extract<StepOutcome, { ok: false }>;

/** Runs an attempt to its end; gives the hash of its stored output, or why there is none. */
export async function runTask(
  deps: OrchestratorDeps,
  run: RunContext,
  step: StepSpec,
  claim: Claim,
  signal: AbortSignal,
): Promise<TaskOutcome> {
  const directory = taskDirectory(deps.workDirectory, claim);
  const logFile = join(directory, 'log.txt');
  await mkdir(join(directory, 'output'), { recursive: true });
  await writeFile(logFile, '');
  try {
    const result =
      step.action.kind === 'task' || step.action.kind === 'python'
        ? await runCode(deps, run, step, claim, directory, signal)
        : await runBuiltIn(deps, run, step, claim, logFile, signal);
    return { ok: true, output: await putBlob(deps.objects, Buffer.from(stringifyJson(result ?? null))) };
  } catch (error) {
    if (error instanceof StepFailure) return error.outcome;
    const { message, code } = toHeadraceError(error);
    return { ok: false, reason: code === 'HR_INTERNAL' || code === 'HR_STEP_FAILED' ? message : `${code}: ${message}` };
  } finally {
    await storeLog(deps.objects, claim, logFile);
    // The log stays; input and output are in the object store.
    await rm(join(directory, 'output'), { recursive: true, force: true });
    await rm(join(directory, 'files'), { recursive: true, force: true });
    await rm(join(directory, 'code'), { recursive: true, force: true });
  }
}

/** The result of a finished task, from its output's hash. */
export async function readOutput(objects: ObjectStore, output: string): Promise<Json> {
  return parseJson(Buffer.from(await getBlob(objects, output)).toString());
}

class StepFailure extends Error {
  readonly outcome: Extract<StepOutcome, { ok: false }>;
  constructor(outcome: Extract<StepOutcome, { ok: false }>) {
    super(outcome.reason);
    this.outcome = outcome;
  }
}

async function runCode(
  deps: OrchestratorDeps,
  run: RunContext,
  step: StepSpec,
  claim: Claim,
  directory: string,
  signal: AbortSignal,
): Promise<unknown> {
  const { action } = step;
  if (action.kind !== 'task' && action.kind !== 'python') throw new Error('a built-in has no code of its own');
  const inputFile = join(directory, 'input.json');
  const outputDirectory = join(directory, 'output');
  const codeDirectory = join(directory, 'code');
  await mkdir(codeDirectory, { recursive: true });
  const input = {
    run: claim.runId,
    pipeline: run.pipeline.name,
    step: step.name,
    index: claim.index,
    attempt: claim.attempt,
    params: run.params,
    item: step.foreach === undefined ? null : foreachItem(step.foreach, claim.index, run.results),
    args: action.kind === 'python' ? action.args : {},
    needs: await fetchFiles(needsOf(step, run), deps.objects, join(directory, 'files')),
  };
  await writeFile(inputFile, stringifyJson(input, 2));
  const outcome = await deps.executor.run(
    {
      runId: claim.runId,
      step: step.name,
      index: claim.index,
      attempt: claim.attempt,
      directory: codeDirectory,
      ...(step.resources.cpu === undefined ? {} : { cpus: step.resources.cpu }),
      code: await unpackCode(deps, action, codeDirectory),
      inputFile,
      outputDirectory,
      logFile: join(directory, 'log.txt'),
    },
    signal,
  );
  if (!outcome.ok) throw new StepFailure(outcome);
  return attachFiles(forgetPaths(readResult(outputDirectory)), await storeFiles(deps.objects, outputDirectory));
}

function readResult(outputDirectory: string): Json {
  let text: string;
  try {
    text = readFileSync(join(outputDirectory, 'result.json'), 'utf8');
  } catch {
    return null; // a step may leave nothing, or only files
  }
  try {
    return parseJson(text);
  } catch (error) {
    throw new HeadraceError('HR_STEP_FAILED', `the step's result.json is not JSON: ${toHeadraceError(error).message}`);
  }
}

async function runBuiltIn(
  deps: OrchestratorDeps,
  run: RunContext,
  step: StepSpec,
  claim: Claim,
  logFile: string,
  signal: AbortSignal,
): Promise<unknown> {
  const context: BuiltInContext = {
    runId: claim.runId,
    step: step.name,
    index: claim.index,
    params: run.params,
    needs: needsOf(step, run),
    directory: deps.definitions.directory,
    log: (line) => appendFileSync(logFile, `${line}\n`),
    signal,
  };
  const { action } = step;
  if (action.kind === 'trainingSet') return await unlessStopped(deps.builtIns.trainingSet(action, context), signal);
  if (action.kind !== 'registerModel') throw new Error('not a built-in');
  const candidates = modelCandidates(context.needs, trainingSetBefore(step, run));
  return await unlessStopped(deps.builtIns.registerModel(action, { ...context, candidates }), signal);
}

/** A built-in that is stopped is no longer waited for; what it still does is safe to repeat, and is not committed. */
async function unlessStopped<R>(work: Promise<R>, signal: AbortSignal): Promise<R> {
  return await new Promise((resolve, reject) => {
    const stop = (): void => reject(new StepFailure({ ok: false, reason: 'stopped' }));
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function needsOf(step: StepSpec, run: RunContext): Record<string, unknown> {
  return Object.fromEntries(Object.entries(step.needs).map(([name, need]) => [name, run.results.get(need)]));
}

/** The id of the nearest training set before a step, along its needs. */
function trainingSetBefore(step: StepSpec, run: RunContext): string | null {
  const seen = new Set<string>();
  for (let near = Object.values(step.needs); near.length > 0; ) {
    const steps = run.pipeline.steps.filter((candidate) => near.includes(candidate.name) && !seen.has(candidate.name));
    for (const { name, action } of steps) {
      seen.add(name);
      const result = run.results.get(name);
      if (action.kind !== 'trainingSet' || result === null || typeof result !== 'object') continue;
      if (result !== undefined && 'id' in result) return String(result.id);
    }
    near = steps.flatMap((candidate) => Object.values(candidate.needs));
  }
  return null;
}

async function storeLog(objects: ObjectStore, claim: Claim, logFile: string): Promise<void> {
  if ((await stat(logFile)).size > 0) await objects.putFile(logKey(claim), logFile);
}
