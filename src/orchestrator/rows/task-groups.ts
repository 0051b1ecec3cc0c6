// Changes of tasks as JSON that says once what is the same of many: most of a batch ended alike, and taking a cell out of JSON is
// what a statement's time goes to.

import type { DatabaseKind } from '../../storage/index.ts';
import type { TaskChange } from '../engine/batch.ts';
import { cellsOf, type Columns, storable } from './statement.ts';

/** What tasks of a group have in common, and what each has of its own. */
const SAME: Columns = {
  step: 'text',
  scope: 'text',
  expects: 'integer',
  state: 'text',
  attempt: 'integer',
  failures: 'integer',
  losses: 'integer',
  not_before: 'bigint',
  output_blob: 'text',
  error: 'text',
  copied_from: 'text',
  slice: 'text',
  code: 'text',
};
const OWN: Columns = {
  group_at: 'integer',
  item_index: 'integer',
  started_at: 'bigint',
  ended_at: 'bigint',
  output: 'text',
};

/** The columns of a task but its run; `expects` is none of the table's. */
export const TASK_COLUMNS: readonly string[] = [...Object.keys(SAME), ...Object.keys(OWN)].filter(
  (name) => name !== 'group_at' && name !== 'expects',
);

/** A table `c` of three parameters: a run's id, groups and tasks, as `toGroups` gives them. */
export function groupedTasks(kind: DatabaseKind): string {
  if (kind === 'postgres') {
    // Looked up and not joined: of a join Postgres expects so many rows that it reads all tasks there are.
    const found = `(select s.run_id, s.groups->(o.value->>0)::integer as same, o.value as own
       from (select ?::text as run_id, ?::jsonb as groups) s, jsonb_array_elements(?::jsonb) o(value) offset 0)`;
    return `(select run_id, ${cellsOf(kind, SAME, 'same')}, ${cellsOf(kind, OWN, 'own')} from ${found} f) c`;
  }
  // Limits keep SQLite from looking into them; in a cross join the first table is the outer one.
  const groups = `(select ? as run_id, key as at, ${cellsOf(kind, SAME)} from json_each(?) limit -1)`;
  const own = `(select ${cellsOf(kind, OWN)} from json_each(?) limit -1)`;
  return `(with g as materialized ${groups} select g.*, o.* from ${own} o cross join g on g.at = o.group_at limit -1) c`;
}

export function toGroups(changes: readonly TaskChange[]): { readonly groups: string; readonly tasks: string } {
  const groups: string[] = [];
  const known = new Map<string, number>();
  const tasks: (number | string | null)[][] = [];
  let last: TaskChange | undefined;
  let group = 0;
  for (const change of changes) {
    if (last === undefined || !isAlike(last, change)) {
      const text = sameOf(change);
      const found = known.get(text);
      group = found ?? groups.length;
      if (found === undefined) {
        groups.push(text);
        known.set(text, group);
      }
      last = change;
    }
    const { index, startedAt, endedAt, output } = change;
    const json = output !== null && 'json' in output ? storable(output.json) : null;
    tasks.push([group, index, startedAt, endedAt, json]);
  }
  return { groups: `[${groups.join()}]`, tasks: JSON.stringify(tasks) };
}

/** Blobs differ from task to task. */
function isAlike(a: TaskChange, b: TaskChange): boolean {
  return (
    a.state === b.state &&
    a.slice === b.slice &&
    a.attempt === b.attempt &&
    a.expects === b.expects &&
    a.step === b.step &&
    a.scope === b.scope &&
    a.failures === b.failures &&
    a.losses === b.losses &&
    a.notBefore === b.notBefore &&
    a.error === b.error &&
    a.from === b.from &&
    a.code === b.code &&
    blobOf(a) === blobOf(b)
  );
}

const blobOf = ({ output }: TaskChange): string | null => (output !== null && 'blob' in output ? output.blob : null);

function sameOf(change: TaskChange): string {
  const { step, scope, expects, state, attempt, failures, losses, notBefore, error, from, slice, code } = change;
  const numbers = [attempt, failures, losses, notBefore];
  return JSON.stringify([step, scope, expects, state, ...numbers, blobOf(change), storable(error), from, slice, code]);
}
