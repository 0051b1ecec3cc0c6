// What a change would break, besides features: columns that requests carry, models, and what endpoints answer.

import { type Field, sameType, typeName } from '../../core/index.ts';
import { type Manifest, mayLack, own, type ResolvedService, resolveService } from '../../definitions/index.ts';
import { type Consequences, createConsequences, type Outcome, type Situation } from './consequences.ts';
import type { Owner } from './feature-parts.ts';
import { checkFeatures, serviceAfter } from './feature-readers.ts';
import type { Touched } from './touched.ts';

/** Both manifests are valid. */
export function findConsequences(situation: Situation): Consequences {
  const found = createConsequences();
  const { keyOf, anyKey } = situation;
  const blame: Blame = (owner, what, outcome, who) => found.blame(keyOf(owner) ?? anyKey, what, outcome, [who]);
  checkModels(situation, blame);
  checkFeatures(situation, found);
  checkRequests(situation, blame);
  checkAbsence(situation, blame);
  checkEndpoints(situation, blame);
  return found;
}

type Blame = (owner: Owner, what: string, outcome: Outcome, who: Touched) => void;

const same = (outcome: string): Outcome => [outcome, outcome];

function checkModels({ before, after, inUse }: Situation, blame: Blame): void {
  for (const { model, version } of inUse.models) {
    if (own(before.models, model) === undefined || own(after.models, model) !== undefined) continue;
    const who: Touched = { kind: 'model', model, versions: [version], features: [] };
    blame(
      { object: 'model', name: model },
      'it goes',
      ['nothing can serve it then', 'nothing can serve them then'],
      who,
    );
  }
}

/** Request columns of on-demand views. Those of keys belong to the features that are looked up by them. */
function checkRequests({ before, after, inUse }: Situation, blame: Blame): void {
  for (const one of inUse.models) {
    const { model, version, manifest, service } = one;
    const was = requestColumns(before, service);
    const is = requestColumns(after, serviceAfter(one, before, after));
    for (const [column, { type }] of requestColumns(manifest, service)) {
      const [old, next] = [was.get(column), is.get(column)];
      if (old === undefined || next === undefined || sameType(old.type, next.type) || sameType(type, next.type))
        continue;
      const what = `request column "${column}" changes type ${typeName(old.type)} → ${typeName(next.type)}`;
      const who: Touched = { kind: 'model', model, versions: [version], features: [] };
      blame({ object: 'onDemandView', name: next.view }, what, TAKES, who);
    }
  }
}

const TAKES: Outcome = [
  'it goes on taking what it was registered with',
  'they go on taking what they were registered with',
];

/** What rows could leave out and must carry from now on: servers take that from what is applied. */
function checkAbsence({ before, after, inUse }: Situation, blame: Blame): void {
  for (const { endpoint, model } of inUse.endpoints) {
    const [was, is] = [askedBy(before, model), askedBy(after, model)];
    for (const column of is?.requestColumns ?? []) {
      const old = was?.requestColumns.find(({ name }) => name === column.name);
      if (is === undefined || old === undefined || !mayLack(old) || mayLack(column)) continue;
      const who: Touched = { kind: 'endpoint', endpoint, features: [] };
      const what = `request column "${column.name}" must be in every row`;
      blame(ownerOf(is, column.name), what, same('rows without it are refused then'), who);
    }
  }
}

function askedBy(manifest: Manifest, model: string): ResolvedService | undefined {
  const service = own(manifest.models, model)?.service;
  return service === undefined ? undefined : resolveService(manifest, service);
}

/** Who says that rows must carry a column. */
function ownerOf({ reads, onDemand }: ResolvedService, column: string): Owner {
  const asking = onDemand.find(({ inputs }) =>
    inputs.some(
      (input) => input.kind === 'request' && input.columns.some((one) => one.name === column && !mayLack(one)),
    ),
  );
  if (asking !== undefined) return { object: 'onDemandView', name: asking.view.name };
  const read = reads.find(({ keyColumns }) => keyColumns.includes(column));
  return { object: 'entity', name: read?.entity.name ?? '' };
}

type RequestColumn = Field & { readonly view: string };

function requestColumns(manifest: Manifest, service: string): ReadonlyMap<string, RequestColumn> {
  if (own(manifest.services, service) === undefined) return new Map();
  const { onDemand }: ResolvedService = resolveService(manifest, service);
  const columns = onDemand.flatMap(({ view, inputs }) =>
    inputs.flatMap((input) =>
      (input.kind === 'request' ? input.columns : []).map((one) => ({ ...one, view: view.name })),
    ),
  );
  return new Map(columns.map((column) => [column.name, column]));
}

function checkEndpoints({ before, after, inUse }: Situation, blame: Blame): void {
  for (const { endpoint } of inUse.endpoints) {
    const [was, is] = [own(before.endpoints, endpoint), own(after.endpoints, endpoint)];
    const who: Touched = { kind: 'endpoint', endpoint, features: [] };
    const owner: Owner = { object: 'endpoint', name: endpoint };
    if (was === undefined) continue;
    if (is === undefined) {
      blame(owner, 'it goes, with traffic on it', same('its requests are refused then'), who);
      continue;
    }
    if (is.model !== was.model) {
      const what = `its model changes from "${was.model}" to "${is.model}"`;
      blame(owner, what, same('its traffic ends, and has to be set anew'), who);
    }
    if (JSON.stringify(is.unit) !== JSON.stringify(was.unit)) {
      const what = `its unit changes from ${showUnit(was.unit)} to ${showUnit(is.unit)}`;
      blame(owner, what, same('who met one variant may meet another'), who);
    }
    const [oldModel, newModel] = [own(before.models, was.model), own(after.models, is.model)];
    if (oldModel === undefined || newModel === undefined) continue;
    const cause: Owner = is.model === was.model ? { object: 'model', name: is.model } : owner;
    for (const what of lostOutputs(oldModel.outputs, newModel.outputs)) {
      blame(cause, what, same('what is registered goes on giving it'), who);
    }
  }
}

function lostOutputs(before: readonly Field[], after: readonly Field[]): string[] {
  const types = new Map(after.map(({ name, type }) => [name, type]));
  return before.flatMap(({ name, type }) => {
    const now = types.get(name);
    if (now === undefined) return [`output "${name}" goes`];
    return sameType(type, now) ? [] : [`output "${name}" changes type ${typeName(type)} → ${typeName(now)}`];
  });
}

function showUnit(unit: readonly string[]): string {
  return unit.length === 0 ? 'each request' : `(${unit.join(', ')})`;
}
