// Mistakes are gathered, not thrown: a user sees all of them at once, each with its file, its object and its fix.

import { type ErrorDetail, HeadraceError } from '../../core/index.ts';
import { type Authored, authored } from '../authoring/authored.ts';
import type { Path, Slip } from '../authoring/call.ts';
import { describeResult } from '../calling/user-value.ts';
import { showName } from './names.ts';
import { createPlaceFinder, type Place, type PlaceFinder } from './places.ts';

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
  node: 'node',
  endpoint: 'endpoint',
  metric: 'metric',
  experiment: 'experiment',
  rollout: 'rollout',
  pipeline: 'pipeline',
  step: 'step',
  group: 'group',
};

export function kindName(kind: Authored['kind']): string {
  return KIND_NAMES[kind];
}

/** `a source`, `an entity`. */
export function aKind(kind: Authored['kind']): string {
  const name = kindName(kind);
  return `${/^[aeio]/.test(name) ? 'an' : 'a'} ${name}`;
}

/** `feature view "x"`. */
function titleOf(object: Authored): string {
  return 'name' in object ? `${kindName(object.kind)} ${showName(object.name)}` : kindName(object.kind);
}

/** `feature view "x"`, or `number 3`: what came in place of an object of the authoring API. */
export function describeAuthored(value: unknown): string {
  const written = authored(value);
  return written === undefined ? describeResult(value) : titleOf(written);
}

/** Where a mistake is, in the object that it is told of. */
export interface Part {
  /** The way from the object's call to the part of it. */
  readonly path: Path;
  /** The object whose call that is, when it is another: a step, whose mistakes are told of its pipeline. */
  readonly of?: Authored;
}

type FilePlace = Partial<Place> & { readonly file: string };

type Noted =
  | { readonly object: Authored; readonly message: string; readonly part: Part }
  | { readonly place: FilePlace; readonly message: string };

/** Collects the mistakes of one compilation. */
export class Mistakes {
  readonly #files = new Map<Authored, string>();
  readonly #noted: Noted[] = [];
  readonly #finder: PlaceFinder;

  /** `directory` is the repository's: the files of places are relative to it. */
  constructor(directory: string) {
    this.#finder = createPlaceFinder(directory);
  }

  /** Remembers the file that an object is reported under where its call is not known; the first one wins. */
  locate(object: Authored, file: string): void {
    if (!this.#files.has(object)) this.#files.set(object, file);
  }

  /** ` in flights.ts:12:5`, or nothing. */
  whereIs(object: Authored): string {
    const place = this.#placeOf(object, { path: [0] });
    return place === undefined ? '' : ` in ${placeText(place)}`;
  }

  /** Reports a mistake in an object: what came, what was expected, what to do; and in which part of it, if in one. */
  add(object: Authored, message: string, path: Path = [], of?: Authored): void {
    this.#noted.push({ object, message, part: { path, ...(of === undefined ? {} : { of }) } });
  }

  /** Reports what shows in a call by itself. `path` leads to the call, `where` begins the sentence. */
  addSlips(object: Authored, slips: readonly Slip[], path: Path = [], where = '', of?: Authored): void {
    for (const slip of slips) this.add(object, `${where}${slip.message}`, [...path, ...slip.path], of);
  }

  /** Reports a mistake in a file as a whole, or at a place in it. */
  addFile({ message, ...place }: FilePlace & { readonly message: string }): void {
    this.#noted.push({ place, message });
  }

  /** Throws HR_DEFINITION with every mistake, if there is one; in a fixed order. */
  throwIfAny(): void {
    if (this.#noted.length === 0) return;
    const told = this.#noted.map((noted) => this.#detailOf(noted));
    const details = [...new Map(told.map((detail) => [`${detail.path}: ${detail.message}`, detail])).values()];
    details.sort(byPlace);
    const lines = details.map((detail) => `\n  - ${detail.path}: ${detail.message}`);
    const count = details.length === 1 ? 'one mistake' : `${details.length} mistakes`;
    throw new HeadraceError('HR_DEFINITION', `the feature repository has ${count}:${lines.join('')}`, { details });
  }

  #detailOf(noted: Noted): ErrorDetail {
    const place = 'place' in noted ? noted.place : this.#placeOf(noted.object, noted.part);
    const where = place === undefined ? [] : [placeText(place)];
    const title = 'object' in noted ? [titleOf(noted.object)] : [];
    return { path: printable([...where, ...title].join(': ')), message: printable(noted.message), ...place };
  }

  #placeOf(object: Authored, { path, of = object }: Part): FilePlace | undefined {
    const place = 'call' in of ? this.#finder(of.call, path) : undefined;
    const file = this.#files.get(object);
    return place ?? (file === undefined ? undefined : { file });
  }
}

function placeText({ file, line, column }: Partial<Place>): string {
  return [file, line, column].filter((part) => part !== undefined).join(':');
}

function byPlace(a: ErrorDetail, b: ErrorDetail): number {
  const text = (one: string, other: string): number => (one === other ? 0 : one < other ? -1 : 1);
  return (
    text(a.file ?? '', b.file ?? '') ||
    (a.line ?? 0) - (b.line ?? 0) ||
    (a.column ?? 0) - (b.column ?? 0) ||
    text(a.path, b.path)
  );
}

// Names come into sentences as they are: nothing in them may move the cursor, or turn the line around.
function printable(message: string): string {
  return message.replaceAll(
    /[\p{Cc}\p{Bidi_Control}]|\p{Surrogate}/gu,
    (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
