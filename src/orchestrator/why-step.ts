// Why a step of a run did its work, or took it from an earlier one: what it went by, beside what the run before went by.

import { HeadraceError, stringifyJson } from '../core/index.ts';
import { actionParts } from './action-parts.ts';
import type { RunsDeps } from './orchestrator-deps.ts';
import { openRunStore } from './rows/open-run-store.ts';
import type { RunStore, StoredStep } from './rows/run-store.ts';
import { readOrder, type StepOrder } from './step/order.ts';

export interface WhyStep {
  readonly step: string;
  /** How many of its tasks were taken from earlier runs, and how many it had, over all items of groups around it. */
  readonly copied: number;
  readonly children: number;
  /** The latest run before with that step; null where there is none. */
  readonly comparedWith: string | null;
  /** What it went by that is other than there. */
  readonly differences: readonly { readonly part: string; readonly was: string; readonly is: string }[];
}

const MOST_RUNS = 50;
const MOST_TASKS = 1000;

/** Throws HR_UNKNOWN_RUN, HR_INVALID for a step that the run has not opened. */
export async function whyStep(deps: RunsDeps, id: string, step: string): Promise<WhyStep> {
  const store = await openRunStore(deps.database, deps.clock);
  const { run, steps } = await store.get(id);
  const rows = steps.filter((row) => row.step === step);
  const order = await orderOf(deps, rows);
  if (order === undefined) {
    const opened = [...new Set(steps.filter((row) => row.order !== null).map((row) => row.step))];
    throw new HeadraceError(
      'HR_INVALID',
      `run ${id} has not opened a step "${step}"; it has opened ${opened.join(', ') || 'none'}`,
    );
  }
  const counted = await countCopied(store, id, rows);
  for (const before of await store.list({ pipeline: run.pipeline, before: run, limit: MOST_RUNS })) {
    const earlier = await orderOf(
      deps,
      (await store.get(before.id)).steps.filter((row) => row.step === step),
    );
    if (earlier !== undefined)
      return { step, ...counted, comparedWith: before.id, differences: differencesOf(earlier, order) };
  }
  return { step, ...counted, comparedWith: null, differences: [] };
}

/** Of the first item of groups around it, where there are some. */
async function orderOf({ objects }: RunsDeps, rows: readonly StoredStep[]): Promise<StepOrder | undefined> {
  const order = rows.find((row) => row.order !== null)?.order;
  return order === undefined || order === null ? undefined : await readOrder(objects, order);
}

async function countCopied(store: RunStore, id: string, rows: readonly StoredStep[]) {
  let copied = 0;
  let children = 0;
  for (const { step, scope, children: of } of rows) {
    children += of ?? 0;
    for (let from = 0; ; from += MOST_TASKS) {
      const tasks = await store.tasks(id, step, { scope, from, limit: MOST_TASKS });
      copied += tasks.filter((task) => task.from !== null).length;
      if (tasks.length < MOST_TASKS) break;
    }
  }
  return { copied, children };
}

function differencesOf(before: StepOrder, now: StepOrder): WhyStep['differences'] {
  const parts = (order: StepOrder): Map<string, unknown> =>
    new Map<string, unknown>([
      ...actionParts(order.action).map(([part, value]) => [`code.${part}`, value] as const),
      ...members('params', order.params),
      ...members('items', order.items),
      ['foreach', order.foreach ?? null],
      ['over', order.over ?? null],
      ...members('needs', order.needs),
      ...members('env', order.env),
      ...members('secrets', order.secrets),
    ]);
  const [earlier, later] = [parts(before), parts(now)];
  return [...new Set([...earlier.keys(), ...later.keys()])].flatMap((part) => {
    const [was, is] = [shown(earlier.get(part)), shown(later.get(part))];
    return was === is ? [] : [{ part, was: shorten(was), is: shorten(is) }];
  });
}

function members(name: string, values: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(values).map(([member, value]) => [`${name}.${member}`, value]);
}

const shown = (value: unknown): string => (value === undefined ? 'nothing' : stringifyJson(value));

const shorten = (text: string): string => (text.length > 200 ? `${text.slice(0, 199)}…` : text);
