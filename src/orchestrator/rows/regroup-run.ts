// Rows of a run that goes on by other code: what lies elsewhere by now, or is something else, begins anew, and a step that a group has
// since runs in each of the items that were begun.

import type { PipelineSpec } from '../../definitions/index.ts';
import type { DatabaseKind } from '../../storage/index.ts';
import type { StepState } from '../engine/batch.ts';
import { type Graph, graphOf, type Node, scopeInside } from '../engine/graph.ts';
import { type Db, rowsOfJson, statement, textsOfJson } from './statement.ts';

interface KeptRow {
  readonly step: string;
  readonly scope: string;
  state: StepState;
  readonly children: number | null;
  readonly next_index: number;
}

export interface Regroup {
  /** Before rows are made ready to go on: rows of what is another thing by now go, with those of its tasks. */
  forget(trx: Db, id: string, before: PipelineSpec, now: PipelineSpec): Promise<void>;
  /** After it: items have rows of all that is in them, and groups count those that are open. */
  complete(trx: Db, id: string, before: PipelineSpec, now: PipelineSpec): Promise<void>;
}

export function createRegroup(kind: DatabaseKind): Regroup {
  const names = textsOfJson(kind);
  const removals = ['pipeline_tasks', 'pipeline_steps'].map((table) =>
    statement(kind, `delete from ${table} where run_id = ? and step in (select value from ${names})`),
  );
  const read = statement<KeptRow>(
    kind,
    'select step, scope, state, children, next_index from pipeline_steps where run_id = ?',
  );
  const insert = statement(
    kind,
    `insert into pipeline_steps (run_id, step, scope, state, next_index, running, retry, succeeded, failed, cancelled)
     select c.run_id, c.step, c.scope, 'waiting', 0, 0, 0, 0, 0, 0 from ${rowsOfJson(kind, { step: 'text', scope: 'text' })}`,
  );
  const recount = statement(
    kind,
    `update pipeline_steps as s set state = 'waiting', running = c.running, succeeded = s.next_index - c.running, failed = 0,
       cancelled = 0, error = null, ended_at = null
     from ${rowsOfJson(kind, { step: 'text', scope: 'text', running: 'integer' })}
     where s.run_id = c.run_id and s.step = c.step and s.scope = c.scope`,
  );
  return {
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
    async complete(trx, id, before, now) {
      const graph = graphOf(now);
      if (!hasOtherGroups(graphOf(before), graph)) return;
      const rows = new Map<string, Map<string, KeptRow>>();
      for (const row of (await read(trx, id)).rows) rowsOf(rows, row.step).set(row.scope, row);
      const groups = [...graph.nodes.values()].filter((node) => node.kind === 'group');
      const made: [step: string, scope: string][] = [];
      // Groups come before those in them.
      for (const { name } of groups)
        for (const row of rowsOf(rows, name).values())
          for (const scope of itemsOf(row))
            for (const { name: step } of graph.inside.get(name) ?? []) {
              if (rowsOf(rows, step).has(scope)) continue;
              rowsOf(rows, step).set(scope, { step, scope, state: 'waiting', children: null, next_index: 0 });
              made.push([step, scope]);
            }
      if (made.length > 0) await insert(trx, id, JSON.stringify(made));
      const counted: [step: string, scope: string, running: number][] = [];
      const isOpen = (step: string, scope: string): boolean =>
        ['waiting', 'open'].includes(rows.get(step)?.get(scope)?.state ?? '');
      for (const { name } of groups.toReversed())
        for (const row of rowsOf(rows, name).values()) {
          const inside = graph.inside.get(name) ?? [];
          const running = itemsOf(row).filter((scope) => inside.some((node) => isOpen(node.name, scope))).length;
          if (row.children === null || (running === 0 && row.state === 'succeeded')) continue;
          row.state = 'waiting';
          counted.push([name, row.scope, running]);
        }
      if (counted.length > 0) await recount(trx, id, JSON.stringify(counted));
    },
  };
}

function isSamePlace(one: Node, other: Node): boolean {
  return one.kind === other.kind && one.around.join('/') === other.around.join('/');
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

/** The scopes of the items that were begun. */
function itemsOf({ scope, next_index: begun }: KeptRow): readonly string[] {
  return Array.from({ length: begun }, (_, item) => scopeInside(scope, item));
}

function rowsOf(rows: Map<string, Map<string, KeptRow>>, step: string): Map<string, KeptRow> {
  let found = rows.get(step);
  if (found === undefined) rows.set(step, (found = new Map()));
  return found;
}
