// On-demand views: what their functions get and give.

import { authored, type AuthoredOnDemandView } from '../authoring/authored.ts';
import type { Columns } from '../authoring/column-type.ts';
import { transformId } from '../function-id.ts';
import type { OnDemandInput, OnDemandViewSpec } from '../manifest.ts';
import { resolveLazy } from './collect.ts';
import { type CompiledViews, compileStoredMember, nameOf } from './compile-members.ts';
import { compileAbout, compileFields, expectRecord, hasNone } from './fields.ts';
import type { FunctionTable } from './function-table.ts';
import { describeAuthored, type Mistakes } from './mistakes.ts';
import { columnMistake, identifierMistake, showName } from './names.ts';

export function compileOnDemandView(
  view: AuthoredOnDemandView,
  compiled: CompiledViews,
  functions: FunctionTable,
  mistakes: Mistakes,
): OnDemandViewSpec {
  const nameMistake = identifierMistake(view.name);
  if (nameMistake !== undefined) mistakes.add(view, nameMistake, [0]);
  const features = compileFields(view.features, view, 'feature', [1, 'features'], identifierMistake, mistakes);
  if (hasNone(view.features))
    mistakes.add(view, 'it has no features: list them in `features: { hour: t.int32() }`', [1, 'features']);
  const id = transformId(view.name);
  const isFunction = typeof view.transform === 'function';
  if (!isFunction) mistakes.add(view, 'it needs `transform`: a function of its inputs', [1, 'transform']);
  const written = view.inputs ?? {};
  const inputs = !expectRecord(view, 'inputs', written, [1, 'inputs'], mistakes)
    ? []
    : Object.entries(written).flatMap(([name, input]) => compileInput(view, name, input, compiled, mistakes));
  if (hasNone(written))
    mistakes.add(view, 'it has no inputs: list request columns or views in `inputs`', [1, 'inputs']);
  return {
    ...compileAbout(view, view.about, [1], mistakes),
    ...(view.renamedFrom === undefined ? {} : { renamedFrom: view.renamedFrom }),
    name: view.name,
    inputs,
    features,
    transform: isFunction ? functions.add(id, view.transform) : { id, hash: '' },
  };
}

function compileInput(
  view: AuthoredOnDemandView,
  name: string,
  input: unknown,
  compiled: CompiledViews,
  mistakes: Mistakes,
): OnDemandInput[] {
  const at = [1, 'inputs', name];
  const where = `input ${showName(name)}`;
  const nameMistake = identifierMistake(name);
  if (nameMistake !== undefined) mistakes.add(view, `${where}: ${nameMistake}`, at);
  const value = resolveLazy(input);
  const object = authored(value);
  switch (object?.kind) {
    case 'view':
    case 'viewMember': {
      const stored = compileStoredMember(view, object, compiled, where, at, mistakes);
      return [{ kind: 'view', name, view: stored.view, keyColumns: stored.keyColumns }];
    }
    case 'onDemandView':
      return [{ kind: 'onDemand', name, view: nameOf(object) }];
    case 'onDemandMember':
      return [{ kind: 'onDemand', name, view: nameOf(authored(object.view)) }];
    case undefined:
      if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
        // compileFields reports what is no column type.
        return [
          {
            kind: 'request',
            name,
            columns: compileFields(value as Columns, view, `${where} column`, at, columnMistake, mistakes, true),
          },
        ];
      }
      break;
    default:
  }
  mistakes.add(
    view,
    `${where} must be request columns ({ distance: t.float32() }), a feature view or an on-demand view, got ${describeAuthored(value)}`,
    at,
  );
  return [];
}

/** Reports each cycle of on-demand views once, under its view of the least name. */
export function refuseCycles(
  views: ReadonlyMap<string, { readonly object: AuthoredOnDemandView; readonly spec: OnDemandViewSpec }>,
  mistakes: Mistakes,
): void {
  const state = new Map<string, 'open' | 'done'>();
  const visit = (name: string, path: readonly string[]): void => {
    const view = views.get(name);
    if (view === undefined || state.get(name) === 'done') return;
    if (state.get(name) === 'open') {
      const cycle = path.slice(path.indexOf(name));
      mistakes.add(
        view.object,
        `it needs itself: ${[...cycle, name].join(' → ')}. Break the cycle: take the input out of one of them`,
        [1, 'inputs'],
      );
      return;
    }
    state.set(name, 'open');
    for (const input of view.spec.inputs) if (input.kind === 'onDemand') visit(input.view, [...path, name]);
    state.set(name, 'done');
  };
  for (const name of [...views.keys()].sort()) visit(name, []);
}
