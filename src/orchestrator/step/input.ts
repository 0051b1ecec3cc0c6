// The input of a step's tasks as JSON. What all of them share is made once: needs can be large, and have files to be fetched.

import { stringifyJson } from '../../core/index.ts';
import { placeFiles } from './files.ts';
import type { FileCache } from './file-cache.ts';
import { hidesIndex, itemOf, placeOf, type StepOrder } from './order.ts';
import { join } from 'node:path';

export interface StepInput {
  /** The members that all tasks of the order share, as JSON without braces. */
  readonly shared: string;
}

/** Fetches the files of the needs into `directory`. Throws HR_ARTIFACT_UNREADABLE. */
export async function prepareInput(order: StepOrder, cache: FileCache, directory: string): Promise<StepInput> {
  const { run, pipeline, step, scope, params, items, action } = order;
  const needs = await placeFiles(order.needs, async (sha256, extension = '') => {
    const path = join(directory, `${sha256}${extension}`);
    await cache.link(sha256, path);
    return path;
  });
  const args = 'args' in action ? action.args : {};
  const place = hidesIndex(order) ? {} : { scope };
  const shared = { run, pipeline, step, ...place, params, items, args, needs };
  return { shared: stringifyJson(shared).slice(1, -1) };
}

/** The input of one attempt; its members are in docs/reference/step-environment.md. */
export function inputOf(order: StepOrder, input: StepInput, index: number, attempt: number): string {
  const item = stringifyJson(itemOf(order, index) ?? null);
  const place = hidesIndex(order) ? '' : `"index":${placeOf(order, index)},`;
  return `{${place}"attempt":${attempt},"item":${item},${input.shared}}`;
}
