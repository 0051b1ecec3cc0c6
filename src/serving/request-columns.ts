// What a row of an endpoint carries: the columns that its versions were trained with, each once. Whether a row may lack one
// is what the applied definitions say, so that clients have one contract, whichever versions answer.

import { canonicalJson, type Field, HeadraceError, sameType, typeName } from '../core/index.ts';
import { mayLack, type ResolvedService } from '../definitions/index.ts';

export interface VersionColumns {
  readonly service: ResolvedService;
  readonly version: number;
}

/**
 * The columns of all versions, in their order, and what else rows are assigned by; without a version what the definitions ask for.
 * Throws HR_MODEL_SIGNATURE where versions take one column for values of different types.
 */
export function uniteColumns(
  served: readonly VersionColumns[],
  current: ResolvedService,
  assignedBy: ReadonlySet<string>,
): readonly Field[] {
  if (served.length === 0) return current.requestColumns;
  const united = new Map<string, { readonly asked: Field[]; readonly version: number }>();
  for (const { service, version } of served) {
    for (const field of service.requestColumns) {
      const known = united.get(field.name);
      const [first] = known?.asked ?? [];
      if (known === undefined || first === undefined) united.set(field.name, { asked: [field], version });
      else if (sameType(first.type, field.type)) known.asked.push(field);
      else {
        const [one, other] = [typeName(first.type), typeName(field.type)];
        throw new HeadraceError(
          'HR_MODEL_SIGNATURE',
          `versions ${known.version} and ${version} can't share traffic: request column "${field.name}" is ${one} for the one and ${other} for the other.`,
        );
      }
    }
  }
  const applied = new Map(current.requestColumns.map((column) => [column.name, column]));
  const columns = [...united.values()].map(({ asked }) => unite(asked, applied.get((asked[0] as Field).name)));
  const others = current.requestColumns.filter(({ name }) => assignedBy.has(name) && !united.has(name));
  return [...columns, ...others];
}

/**
 * `asked`: one column as each version asks for it. One default stands in at once; of several each version takes its own, and
 * here the column is null.
 */
function unite(asked: readonly Field[], applied: Field | undefined): Field {
  const { name, type } = asked[0] as Field;
  const now = applied !== undefined && sameType(applied.type, type) ? [applied] : asked;
  if (!now.every(mayLack)) return { name, type };
  const defaults = [...asked, ...now].map((field) => field.default).filter((value) => value !== undefined);
  const [first] = defaults;
  const isOne = defaults.length > 0 && defaults.every((value) => canonicalJson(value) === canonicalJson(first));
  return isOne ? { name, type, default: first } : { name, type, isOptional: true };
}
