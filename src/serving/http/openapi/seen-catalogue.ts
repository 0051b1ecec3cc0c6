// The catalogue as whoever asks may see it: a key that is kept to some endpoints is told of no others.

import { type Actor, HeadraceError } from '../../../core/index.ts';
import type { Catalogue } from '../../catalogue.ts';
import type { ControlPlane } from '../../control-plane.ts';

/** Undefined while nothing is applied, or what is can't be loaded. The same object for as long as nothing of it changes. */
export type SeenCatalogue = (actor: Pick<Actor, 'endpoints'>) => Catalogue | undefined;

export function createSeenCatalogue(control: Pick<ControlPlane, 'catalogue'>): SeenCatalogue {
  const narrowed = new WeakMap<Catalogue, WeakMap<ReadonlySet<string>, Catalogue>>();
  return ({ endpoints: seen }) => {
    const all = catalogueIfAny(control);
    if (all === undefined || seen === null) return all;
    let own = narrowed.get(all);
    if (own === undefined) narrowed.set(all, (own = new WeakMap()));
    let catalogue = own.get(seen);
    if (catalogue === undefined) {
      catalogue = { ...all, endpoints: all.endpoints.filter(({ name }) => seen.has(name)) };
      own.set(seen, catalogue);
    }
    return catalogue;
  };
}

function catalogueIfAny(control: Pick<ControlPlane, 'catalogue'>): Catalogue | undefined {
  try {
    return control.catalogue();
  } catch (thrown) {
    if (thrown instanceof HeadraceError) return undefined;
    throw thrown;
  }
}
