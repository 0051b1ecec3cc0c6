// Mistakes are gathered, not thrown: a user sees all of them at once, each with its file, its object and its fix.

import { type ErrorDetail, HeadraceError } from '../../core/index.ts';
import { type Authored, authored } from '../authoring/authored.ts';

/** How a user calls each kind of object. */
const KIND_NAMES: Readonly<Record<Authored['kind'], string>> = {
  entity: 'entity',
  source: 'source',
  view: 'feature view',
  viewMember: 'feature view',
  onDemandView: 'on-demand view',
  onDemandMember: 'on-demand view',
  service: 'feature service',
  model: 'model',
  endpoint: 'endpoint',
  pipeline: 'pipeline',
  step: 'step',
};

export function kindName(kind: Authored['kind']): string {
  return KIND_NAMES[kind];
}

/** `a "x"`, for what came in place of an object of the authoring API. */
export function describeAuthored(value: unknown): string {
  const written = authored(value);
  if (written === undefined) return value === null ? 'null' : `a ${Array.isArray(value) ? 'array' : typeof value}`;
  return 'name' in written ? `${kindName(written.kind)} "${written.name}"` : kindName(written.kind);
}

/** Collects the mistakes of one compilation. */
export class Mistakes {
  readonly #files = new Map<Authored, string>();
  readonly #details: ErrorDetail[] = [];

  /** Remembers the file that an object is reported under; the first one wins. */
  locate(object: Authored, file: string): void {
    if (!this.#files.has(object)) this.#files.set(object, file);
  }

  fileOf(object: Authored): string | undefined {
    return this.#files.get(object);
  }

  /** Reports a mistake in an object: what came, what was expected, what to do. */
  add(object: Authored, message: string): void {
    const name = 'name' in object ? ` "${object.name}"` : '';
    const file = this.#files.get(object);
    this.#details.push({ path: `${file === undefined ? '' : `${file}: `}${kindName(object.kind)}${name}`, message });
  }

  /** Reports a mistake in a file as a whole. */
  addFile(file: string, message: string): void {
    this.#details.push({ path: file, message });
  }

  /** Throws HR_DEFINITION with every mistake, if there is one; in a fixed order. */
  throwIfAny(): void {
    const details = [...new Map(this.#details.map((detail) => [JSON.stringify(detail), detail])).values()];
    if (details.length === 0) return;
    details.sort((a, b) => (a.path === b.path ? 0 : a.path < b.path ? -1 : 1));
    const lines = details.map((detail) => `\n  - ${detail.path}: ${detail.message}`);
    const count = details.length === 1 ? 'one mistake' : `${details.length} mistakes`;
    throw new HeadraceError('HR_DEFINITION', `the feature repository has ${count}:${lines.join('')}`, { details });
  }
}
