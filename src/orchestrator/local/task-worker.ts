// Runs a user's function from its bundle, and writes its result.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { parseJson, stringifyJson } from '../../core/index.ts';
import { evaluateBundle } from '../../definitions/index.ts';
import { notJson } from '../step/plain-data.ts';
import type { HostOrder, HostReport } from './step-host.ts';

type TaskOrder = Extract<HostOrder, { kind: 'task' }>;

const order = workerData as TaskOrder; // given by step-host.ts alone
parentPort?.postMessage(await runTask(order));

async function runTask({ functionId, file, inputFile, outputDirectory }: TaskOrder): Promise<HostReport> {
  const run = evaluateBundle(functionId, readFileSync(file, 'utf8'));
  const input = parseJson(readFileSync(inputFile, 'utf8')) as Record<string, unknown>; // written by the engine
  const { needs, params, item, index } = input;
  // The manifest says that this id is a task, and a task takes its needs and its context.
  const task = run as unknown as (needs: unknown, context: unknown) => unknown;
  let result: unknown;
  try {
    result = await task(needs, { params, item, index });
  } catch (error) {
    console.error(error);
    return { ok: false, reason: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
  }
  const fault = notJson(result, 'result');
  if (fault !== undefined) return { ok: false, reason: `a task's result must be plain JSON data, but ${fault}` };
  writeFileSync(join(outputDirectory, 'result.json'), stringifyJson(result ?? null));
  return { ok: true };
}
