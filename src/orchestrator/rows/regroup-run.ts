// Rows of a run that goes on by other code: what lies elsewhere by now, or is something else, begins anew; what may have other items, or
// results of them, is made ready again; and a step that a group has since runs in each of the items that were begun.

import { stringifyJson } from '../../core/index.ts';
import type { PipelineSpec } from '../../definitions/index.ts';
import type { DatabaseKind } from '../../storage/index.ts';
import { affectedBy, isSamePlace } from '../describe-edit.ts';
import type { StepState } from '../engine/batch.ts';
import { type Graph, graphOf, scopeAround } from '../engine/graph.ts';
import { UNCHANGED_ITEMS } from '../placement.ts';
import { type Db, rowsOfJson, statement, textsOfJson } from './statement.ts';

interface KeptRow {
  readonly step: string;
  readonly scope: string;
  state: StepState;
  readonly children: number | null;
  readonly next_index: number;
  readonly order_uri: string | null;
  readonly items_uri: string | null;
}

/** Rows as they were before any of them was changed. */
export interface RowsBefore {
  /** By group and scope: the scopes of the items that were begun, and that the run still has. */
  readonly items: ReadonlyMap<string, readonly string[]>;
  /** Steps and groups of which it is not recorded what items they had begun something for. */
  readonly unrecorded: ReadonlySet<string>;
}

export interface Regroup {
  look(trx: Db, id: string, before: PipelineSpec): Promise<RowsBefore>;
  /** Before rows are made ready to go on: rows of what is another thing by now go, with those of its tasks. */
  forget(trx: Db, id: string, before: PipelineSpec, now: PipelineSpec): Promise<void>;
  /**
   * After it: what has ended well, and may have other items or needs by now, is made ready anew; items have rows of all that is in them,
   * and groups count those that are open.
   */
  complete(trx: Db, id: string, before: PipelineSpec, now: PipelineSpec, rows: RowsBefore): Promise<void>;
}

export function createRegroup(kind: DatabaseKind): Regroup {
  const names = textsOfJson(kind);
  const removals = ['pipeline_tasks', 'pipeline_steps'].map((table) =>
    statement(kind, `delete from ${table} where run_id = ? and step in (select value from ${names})`),
  );
  const read = statement<KeptRow>(
    kind,
    'select step, scope, state, children, next_index, order_uri, items_uri from pipeline_steps where run_id = ?',
  );
  const insert = statement(
    kind,
    `insert into pipeline_steps (run_id, step, scope, state, next_index, running, retry, succeeded, failed, cancelled)
     select c.run_id, c.step, c.scope, 'waiting', 0, 0, 0, 0, 0, 0 from ${rowsOfJson(kind, { step: 'text', scope: 'text' })}`,
  );
  const reopen = statement(
    kind,
    `update pipeline_steps set state = 'waiting', error = null, ended_at = null
     where run_id = ? and state in ('succeeded', 'skipped') and step in (select value from ${names})`,
  );
  const record = statement(
    kind,
    `update pipeline_steps set items_uri = ?
     where run_id = ? and step = ? and order_uri is null and items_uri is null and next_index > 0`,
  );
  const recount = statement(
    kind,
    `update pipeline_steps as s set state = 'waiting', running = c.running, succeeded = c.items - c.running, failed = 0,
       cancelled = 0, error = null, ended_at = null
     from ${rowsOfJson(kind, { step: 'text', scope: 'text', running: 'integer', items: 'integer' })}
     where s.run_id = c.run_id and s.step = c.step and s.scope = c.scope`,
  );
  /** Those of earlier versions tell no items: where none were edited they are those of now. */
  const recordItems = async (
    trx: Db,
    id: string,
    { nodes }: Graph,
    affected: ReadonlySet<string>,
    unrecorded: ReadonlySet<string>,
  ): Promise<void> => {
    for (const name of unrecorded) {
      const foreach = nodes.get(name)?.foreach;
      if (!affected.has(name)) await record(trx, UNCHANGED_ITEMS, id, name);
      else if (foreach?.kind !== 'result')
        await record(trx, stringifyJson(foreach === undefined ? {} : { foreach }), id, name);
    }
  };
  return {
    async look(trx, id, before) {
      const { rows } = await read(trx, id);
      const { nodes } = graphOf(before);
      const seen = new Map<string, Set<string>>();
      for (const { step, scope } of rows) {
        const around = nodes.get(step)?.around ?? [];
        const group = around.at(-1);
        if (group === undefined) continue;
        const key = `${group} ${scopeAround(scope, around.length - 1)}`;
        const items = seen.get(key) ?? new Set();
        seen.set(key, items.add(scope));
      }
      const lacking = rows.filter((row) => row.next_index > 0 && row.order_uri === null && row.items_uri === null);
      return {
        items: new Map([...seen].map(([key, items]) => [key, [...items]])),
        unrecorded: new Set(lacking.map(({ step }) => step)),
      };
    },
    async forget(trx, id, before, now) {
      const [was, is] = [graphOf(before), graphOf(now)];
      const others = [...was.nodes.values()].filter((node) => {
        const other = is.nodes.get(node.name);
        return other !== undefined && !isSamePlace(node, other);
      });
      if (others.length === 0) return;
      const gone = JSON.stringify(others.map(({ name }) => name));
      for (const remove of removals) await remove(trx, id, gone);
    },
    async complete(trx, id, before, now, { items, unrecorded }) {
      const [was, graph] = [graphOf(before), graphOf(now)];
      const affected = affectedBy(before, now);
      if (unrecorded.size > 0) await recordItems(trx, id, was, affected, unrecorded);
      if (affected.size > 0) await reopen(trx, id, JSON.stringify([...affected]));
      if (!hasOtherGroups(was, graph) && (affected.size === 0 || graph.inside.size === 1)) return;
      const rows = new Map<string, Map<string, KeptRow>>();
      for (const row of (await read(trx, id)).rows) rowsOf(rows, row.step).set(row.scope, row);
      const groups = [...graph.nodes.values()].filter((node) => node.kind === 'group');
      const itemsOf = ({ step, scope, next_index: begun }: KeptRow): readonly string[] =>
        begun === 0 ? [] : (items.get(`${step} ${scope}`) ?? []);
      const made: [step: string, scope: string][] = [];
      // Groups come before those in them.
      for (const { name } of groups)
        for (const row of rowsOf(rows, name).values())
          for (const scope of itemsOf(row))
            for (const { name: step } of graph.inside.get(name) ?? []) {
              if (rowsOf(rows, step).has(scope)) continue;
              const none = { children: null, next_index: 0, order_uri: null, items_uri: null };
              rowsOf(rows, step).set(scope, { step, scope, state: 'waiting', ...none });
              made.push([step, scope]);
            }
      if (made.length > 0) await insert(trx, id, JSON.stringify(made));
      const counted: [step: string, scope: string, running: number, items: number][] = [];
      const isOpen = (step: string, scope: string): boolean =>
        ['waiting', 'open'].includes(rows.get(step)?.get(scope)?.state ?? '');
      for (const { name } of groups.toReversed())
        for (const row of rowsOf(rows, name).values()) {
          const inside = graph.inside.get(name) ?? [];
          const begun = itemsOf(row);
          const running = begun.filter((scope) => inside.some((node) => isOpen(node.name, scope))).length;
          if (row.children === null || (running === 0 && row.state === 'succeeded')) continue;
          row.state = 'waiting';
          counted.push([name, row.scope, running, begun.length]);
        }
      if (counted.length > 0) await recount(trx, id, JSON.stringify(counted));
    },
  };
}

/** Whether a group has a step, or a group in it, that it had not, or has one no more. */
function hasOtherGroups(was: Graph, is: Graph): boolean {
  const placesOf = ({ nodes }: Graph): readonly string[] =>
    [...nodes.values()]
      .filter(({ around }) => around.length > 0)
      .map(({ kind, name, around }) => `${kind} ${[...around, name].join('/')}`)
      .sort();
  return placesOf(was).join('\n') !== placesOf(is).join('\n');
}

function rowsOf(rows: Map<string, Map<string, KeptRow>>, step: string): Map<string, KeptRow> {
  let found = rows.get(step);
  if (found === undefined) rows.set(step, (found = new Map()));
  return found;
}
