// What objects and features were called before. A former name must be free, and only one may claim it: what is stored under
// it goes to one.

import type { AuthoredView } from '../authoring/authored.ts';
import type { Path } from '../authoring/call.ts';
import type { Collected } from './collect.ts';
import { aKind, kindName, type Mistakes } from './mistakes.ts';
import { identifierMistake, showName } from './names.ts';

/** Something with a name, in one set of names; all else is how to speak of it. */
interface Named {
  readonly name: string;
  readonly renamedFrom: unknown;
  /** `entity "a" in a.ts:3:1`, and `an entity in a.ts:3:1`: as another's mistake tells of it. */
  readonly title: () => string;
  readonly asOther: () => string;
  readonly report: (message: string) => void;
}

export function checkRenames(found: Collected, mistakes: Mistakes): void {
  const named = (object: Collected['entity' | 'view' | 'onDemandView'][number]): Named => ({
    name: object.name,
    renamedFrom: object.renamedFrom,
    title: () => `${kindName(object.kind)} "${object.name}"${mistakes.whereIs(object)}`,
    asOther: () => `${aKind(object.kind)}${mistakes.whereIs(object)}`,
    report: (message) => mistakes.add(object, message, [1, 'renamedFrom']),
  });
  checkSet(found.entity.map(named));
  // Both kinds of views share their names: they begin the full names of features.
  checkSet([...found.view, ...found.onDemandView].map(named));
  for (const view of found.view) checkSet(featuresOf(view, mistakes));
}

function featuresOf(view: AuthoredView, mistakes: Mistakes): Named[] {
  return Object.entries(view.features ?? {}).map(([name, feature]) => {
    const where = `feature ${showName(name)}`;
    const at: Path = [1, 'features', name, { method: 'renamedFrom' }, 0];
    return {
      name,
      // In plain JavaScript anything may stand here.
      renamedFrom: feature?.formerName,
      title: () => where,
      asOther: () => 'another feature',
      report: (message) => mistakes.add(view, `${where}: ${message}`, at),
    };
  });
}

function checkSet(all: readonly Named[]): void {
  const byName = new Map(all.map((one) => [one.name, one]));
  const claims = new Map<string, Named>();
  for (const one of all) {
    const { name, renamedFrom, report } = one;
    if (renamedFrom === undefined) continue;
    const mistake = identifierMistake(renamedFrom);
    if (mistake !== undefined || typeof renamedFrom !== 'string') {
      report(`renamedFrom: ${mistake}`);
    } else if (renamedFrom === name) {
      report('renamedFrom is its own name. Leave it out');
    } else {
      const other = byName.get(renamedFrom);
      const claimed = claims.get(renamedFrom);
      if (other !== undefined)
        report(
          `renamedFrom names "${renamedFrom}", which ${other.asOther()} still is. Rename that one, or leave renamedFrom out`,
        );
      else if (claimed !== undefined)
        report(`${claimed.title()} is renamed from "${renamedFrom}" too. One of them can be`);
      claims.set(renamedFrom, claimed ?? one);
    }
  }
}
