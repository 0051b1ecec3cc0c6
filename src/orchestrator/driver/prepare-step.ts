// What a step needs before its first task runs: results gathered, its gate looked at, its items counted, its order written.

import { HeadraceError, type Json, stringifyJson, toHeadraceError } from '../../core/index.ts';
import type { StepSpec } from '../../definitions/index.ts';
import { type ObjectStore, putBlob } from '../../storage/index.ts';
import type { EngineEvent } from '../engine/events.ts';
import { type Graph, type Node, scopeAround, scopeItems } from '../engine/graph.ts';
import { countItems, itemAt, type ItemList, openPlaces } from '../placement.ts';
import type { CacheReads, StepOrder } from '../step/order.ts';
import { type BegunRow, placeBegun, recordItems } from './recorded-items.ts';
import type { StepResults } from './step-results.ts';
import { trainingSetBefore } from './training-set-before.ts';

export interface PreparedRun {
  readonly id: string;
  /** Of the definitions that it goes by. */
  readonly manifestHash: string;
  readonly graph: Graph;
  readonly params: Readonly<Record<string, unknown>>;
  /** What the tasks of a cached step go by beside their order; left out where nothing is cached. */
  readonly cacheReads?: CacheReader;
  /** Of groups that do not run over a result: where their items were recorded by this driver. */
  readonly lists?: Map<string, string>;
}

/** Reads what the outputs of a cached step go by outside of its order. What can't be read turns its cache off, and never throws. */
export type CacheReader = (order: StepOrder, spec: StepSpec) => Promise<CacheReads>;

/**
 * `row`: as it is so far, where it may have begun something before. Of what is wrong with the run's own data the event says so; what
 * the database or the artifact store throws comes through.
 */
export async function prepareStep(
  objects: ObjectStore,
  results: StepResults,
  run: PreparedRun,
  { step, scope }: { readonly step: string; readonly scope: string },
  row?: BegunRow,
): Promise<EngineEvent> {
  const node = run.graph.nodes.get(step);
  if (node === undefined) return { kind: 'unprepared', step, scope, reason: 'the pipeline has no such step any more' };
  try {
    if (!(await passesGate(node, scope, results)))
      return { kind: 'prepared', step, scope, children: 0, order: null, passes: false };
    const over = node.foreach?.kind === 'result' ? await results.of(node.foreach.of, scope) : undefined;
    // Counted below, so it is an array.
    const list: ItemList = { foreach: node.foreach, ...(over === undefined ? {} : { over: over as readonly Json[] }) };
    const prepared = { kind: 'prepared', step, scope, children: countItems(list), passes: true } as const;
    if (node.kind === 'group') {
      const placed = await placeBegun(objects, row, list);
      const items = await recordOnce(objects, run, node, list);
      return { ...prepared, order: null, items, ...(placed && { anew: placed.anew }) };
    }
    const order = await orderOf(run, node, scope, list, results);
    const placed = await placeBegun(objects, row, list, order);
    const { placement } = placed ?? {};
    const written = await writeOrder(objects, placement === undefined ? order : { ...order, placement });
    return { ...prepared, order: written, ...(placed && { anew: placed.anew }) };
  } catch (error) {
    const { code, message } = toHeadraceError(error);
    if (code !== 'HR_STEP_FAILED') throw error;
    return { kind: 'unprepared', step, scope, reason: message };
  }
}

async function passesGate(node: Node, scope: string, results: StepResults): Promise<boolean> {
  const { when, unless } = node.kind === 'step' ? node.spec : {};
  const gate = when ?? unless;
  if (gate === undefined) return true;
  const value = await results.of(gate, scope);
  if (typeof value === 'boolean') return value === (when !== undefined);
  const sentence = `${when === undefined ? 'unless' : 'when'} goes by the step "${gate}", which must give true or false, got ${shown(value)}; let it give the outcome of a comparison`;
  throw new HeadraceError('HR_STEP_FAILED', sentence);
}

/** What is written out is the same in each scope. */
async function recordOnce(objects: ObjectStore, { lists }: PreparedRun, node: Node, list: ItemList): Promise<string> {
  if (list.over !== undefined || lists === undefined) return await recordItems(objects, list);
  const known = lists.get(node.name) ?? (await recordItems(objects, list));
  lists.set(node.name, known);
  return known;
}

async function orderOf(
  run: PreparedRun,
  node: Extract<Node, { kind: 'step' }>,
  scope: string,
  { over }: ItemList,
  results: StepResults,
): Promise<StepOrder> {
  const { spec } = node;
  const needs: Record<string, Json> = {};
  for (const [name, need] of Object.entries(spec.needs)) needs[name] = await results.of(need, scope);
  const items: Record<string, unknown> = {};
  const places = scopeItems(scope);
  for (const [depth, group] of node.around.entries())
    items[group] = await itemOf(run.graph, group, scope, places[depth] ?? 0, results);
  const madeFrom =
    spec.action.kind === 'registerModel'
      ? await trainingSetBefore(run.graph, results, { step: node.name, scope })
      : null;
  const order: StepOrder = {
    run: run.id,
    pipeline: run.graph.pipeline.name,
    step: node.name,
    scope,
    action: spec.action,
    definitions: run.manifestHash,
    params: run.params,
    items,
    ...(spec.foreach === undefined ? {} : { foreach: spec.foreach }),
    ...(over === undefined ? {} : { over }),
    needs,
    ...(madeFrom === null ? {} : { trainingSet: madeFrom }),
    timeoutMs: spec.timeoutMicros === null ? null : spec.timeoutMicros / 1000,
    resources: spec.resources,
    ...(spec.isolate === true ? { isolate: true } : {}),
    env: spec.env ?? {},
    secrets: spec.secrets ?? {},
    ...(spec.cache === true && spec.index !== true ? { index: false } : {}),
  };
  if (spec.cache !== true || run.cacheReads === undefined) return order;
  return { ...order, cache: await run.cacheReads(order, spec) };
}

async function itemOf(
  graph: Graph,
  group: string,
  scope: string,
  number: number,
  results: StepResults,
): Promise<unknown> {
  const node = graph.nodes.get(group);
  if (node?.foreach === undefined) return null;
  const { foreach } = node;
  const around = scopeAround(scope, node.around.length);
  const place = openPlaces(await results.placementOf(group, around)).placeOf(number) ?? number;
  // It has opened over it, so it is an array.
  const over = foreach.kind === 'result' ? ((await results.of(foreach.of, around)) as readonly Json[]) : undefined;
  return itemAt({ foreach, over }, place);
}

async function writeOrder(objects: ObjectStore, order: StepOrder): Promise<string> {
  return `blob:${await putBlob(objects, Buffer.from(stringifyJson(order)))}`;
}

function shown(value: Json): string {
  const text = stringifyJson(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
