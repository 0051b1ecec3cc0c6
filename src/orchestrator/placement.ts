// Which task is which item's, in a run that goes on with other items than it began with. A task has a number of its own for good: its
// row, log, result and slice are kept by it. Where the items are edited, those that are equal to earlier ones keep the numbers of
// their tasks, and the others get numbers that no task has had. So nothing that was begun is ever taken for another item's.

import { canonicalJson } from '../core/index.ts';
import type { Foreach } from '../definitions/index.ts';
import { foreachCount, foreachItem } from './foreach.ts';

/** `count` numbers from `first` on. */
export type NumberRange = readonly [first: number, count: number];

/** Where the item at a place has a task of another number. Left out: each task has the number of its item's place. */
export interface Placement {
  /** Items that have kept their tasks, by place: `count` of them from `place` on have the numbers from `number` on. */
  readonly kept: readonly (readonly [place: number, number: number, count: number])[];
  /** The items between those have the numbers from this one on, in order. */
  readonly next: number;
}

/** What the tasks of a step, or the items of a group, are made for. Without `foreach` there is one task, which has no item. */
export interface ItemList {
  readonly foreach?: Foreach | undefined;
  /** The items, where `foreach` is over a result. */
  readonly over?: readonly unknown[] | undefined;
  readonly placement?: Placement | undefined;
}

/**
 * What is kept as the items of a row from before items were recorded, where nothing that they follow from was edited since: they are
 * those of now.
 */
export const UNCHANGED_ITEMS = 'unchanged';

export interface Replaced {
  readonly placement: Placement | undefined;
  /** How many items there are. */
  readonly children: number;
  /** Every task's number is below this one. */
  readonly end: number;
  /** Numbers of tasks that were begun, and whose items are there no more. */
  readonly dropped: readonly NumberRange[];
  /** How many items have a task that was begun, how many have none, and how many tasks have lost their item. */
  readonly counts: { readonly kept: number; readonly fresh: number; readonly dropped: number };
  /** Whether a task is kept whose item is at another place by now. */
  readonly isMoved: boolean;
}

export function countItems({ foreach, over }: ItemList): number {
  return foreach === undefined ? 1 : foreachCount(foreach, resultsOf(foreach, over));
}

/** The item at a place; null where there is no `foreach`. */
export function itemAt({ foreach, over }: ItemList, place: number): unknown {
  return foreach === undefined ? null : foreachItem(foreach, place, resultsOf(foreach, over));
}

/**
 * Places the items of now beside tasks that were begun for earlier ones: those with numbers below `begun`. Items are equal where their
 * canonical JSON is; of equal ones the n-th keeps the task of the n-th. `isMadeAnew`: no task is kept, whatever its item is.
 */
export function placeAnew(before: ItemList, begun: number, now: ItemList, isMadeAnew = false): Replaced {
  const children = countItems(now);
  const places = openPlaces(before.placement);
  // A task without an item is not the task of the item null.
  const isKept = !isMadeAnew && (before.foreach === undefined) === (now.foreach === undefined);
  if (isKept && isSameList(before, now)) return keepAll(before.placement, places, begun, children);
  const [was, is] = [indexItems(before), indexItems(now)];
  const kept: [place: number, number: number][] = [];
  const dropped: number[] = [];
  for (let number = 0; number < begun; number++) {
    const earlier = places.placeOf(number);
    // An earlier edit has dropped it.
    if (earlier === undefined) continue;
    const place = isKept ? is.placeOf(itemAt(before, earlier), was.rankOf(earlier)) : undefined;
    if (place === undefined) dropped.push(number);
    else kept.push([place, number]);
  }
  kept.sort(([one], [other]) => one - other);
  const fresh = children - kept.length;
  const isPlain = kept.length === begun && kept.every(([place, number]) => place === number);
  return {
    placement: isPlain ? undefined : { kept: keptRanges(kept), next: begun },
    children,
    end: begun + fresh,
    dropped: rangesOf(dropped),
    counts: { kept: kept.length, fresh, dropped: dropped.length },
    isMoved: kept.some(([place, number]) => places.placeOf(number) !== place),
  };
}

function keepAll(placement: Placement | undefined, places: Places, begun: number, children: number): Replaced {
  const keptBefore = places.countKept;
  const next = placement?.next ?? 0;
  const kept = keptBefore + begun - next;
  const counts = { kept, fresh: children - kept, dropped: 0 };
  return { placement, children, end: next + children - keptBefore, dropped: [], counts, isMoved: false };
}

export interface Places {
  /** Of a task by its number; undefined where its item is there no more. */
  placeOf(number: number): number | undefined;
  /** Of the task of the item at a place. */
  numberAt(place: number): number;
  /** How many items have kept the task of an earlier edit. */
  readonly countKept: number;
}

const PLAIN: Places = { placeOf: (number) => number, numberAt: (place) => place, countKept: 0 };
const opened = new WeakMap<Placement, Places>();

/** The same object for the same placement. */
export function openPlaces(placement: Placement | undefined): Places {
  if (placement === undefined) return PLAIN;
  const places = opened.get(placement) ?? createPlaces(placement);
  opened.set(placement, places);
  return places;
}

function createPlaces({ kept, next }: Placement): Places {
  /** Of each range: how many kept items lie before it. */
  const before: number[] = [];
  let countKept = 0;
  for (const [, , count] of kept) {
    before.push(countKept);
    countKept += count;
  }
  const byNumber = kept.toSorted((one, other) => one[1] - other[1]);
  return {
    countKept,
    numberAt(place) {
      const at = lastUpTo(kept.length, (range) => kept[range]?.[0] ?? 0, place);
      const [first, number, count] = kept[at] ?? [0, 0, 0];
      if (place < first + count) return number + place - first;
      return next + place - (before[at] ?? 0) - count;
    },
    placeOf(number) {
      if (number >= next) {
        const nth = number - next;
        // Before the range there are as many new items as places without the kept ones.
        const at = lastUpTo(kept.length, (range) => (kept[range]?.[0] ?? 0) - (before[range] ?? 0), nth);
        return nth + (before[at] ?? 0) + (kept[at]?.[2] ?? 0);
      }
      const at = lastUpTo(byNumber.length, (range) => byNumber[range]?.[1] ?? 0, number);
      const [place, first, count] = byNumber[at] ?? [0, 0, 0];
      return number < first + count ? place + number - first : undefined;
    },
  };
}

/** The last of `length` whose value, which never falls from one to the next, is at most `most`; −1 where there is none. */
function lastUpTo(length: number, valueOf: (at: number) => number, most: number): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (valueOf(middle) <= most) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Items by their content. `rankOf`: how many equal ones lie before the place; `placeOf`: of the equal item of that rank. */
interface ItemIndex {
  rankOf(place: number): number;
  placeOf(item: unknown, rank: number): number | undefined;
}

interface ListIndex extends ItemIndex {
  /** How many items are equal to the one at a place, itself too. */
  equalTo(place: number): number;
}

/** Neither a range nor a grid is ever listed whole. */
function indexItems(list: ItemList): ItemIndex {
  const { foreach } = list;
  if (foreach === undefined) return { rankOf: () => 0, placeOf: () => 0 };
  if (foreach.kind === 'range') {
    const count = countItems(list);
    return {
      rankOf: () => 0,
      placeOf(item, rank) {
        if (typeof item !== 'number' || !Number.isInteger(item) || rank > 0) return undefined;
        const place = item - foreach.start;
        return place >= 0 && place < count ? place : undefined;
      },
    };
  }
  return foreach.kind === 'grid' ? indexGrid(foreach.axes) : indexList(list, countItems(list));
}

function indexList(list: ItemList, count: number): ListIndex {
  const byText = new Map<string, number[]>();
  const ranks: number[] = [];
  const groups: (readonly number[])[] = [];
  for (let place = 0; place < count; place++) {
    const text = canonicalJson(itemAt(list, place) ?? null);
    const equal = byText.get(text) ?? [];
    byText.set(text, equal);
    ranks.push(equal.length);
    groups.push(equal);
    equal.push(place);
  }
  return {
    rankOf: (place) => ranks[place] ?? 0,
    equalTo: (place) => groups[place]?.length ?? 1,
    placeOf: (item, rank) => byText.get(canonicalJson(item ?? null))?.[rank],
  };
}

/** Items are equal where they have equal values on each axis: of an axis that has a value twice, at any of its places. */
function indexGrid(axes: Readonly<Record<string, readonly unknown[]>>): ItemIndex {
  const parts = Object.entries(axes).map(([name, values]) => ({
    name,
    length: values.length,
    index: indexList({ foreach: { kind: 'items', items: values } }, values.length),
  }));
  return {
    rankOf(place) {
      let [rank, weight, rest] = [0, 1, place];
      for (const { length, index } of parts.toReversed()) {
        const at = rest % length;
        rest = Math.floor(rest / length);
        rank += index.rankOf(at) * weight;
        weight *= index.equalTo(at);
      }
      return rank;
    },
    placeOf(item, rank) {
      if (item === null || typeof item !== 'object' || Array.isArray(item)) return undefined;
      const members = item as Readonly<Record<string, unknown>>;
      if (Object.keys(members).length !== parts.length) return undefined;
      let [place, weight, rest] = [0, 1, rank];
      for (const { name, length, index } of parts.toReversed()) {
        if (!Object.hasOwn(members, name)) return undefined;
        const first = index.placeOf(members[name], 0);
        if (first === undefined) return undefined;
        const same = index.equalTo(first);
        const at = index.placeOf(members[name], rest % same) ?? 0;
        rest = Math.floor(rest / same);
        place += at * weight;
        weight *= length;
      }
      return rest === 0 ? place : undefined;
    },
  };
}

function isSameList(one: ItemList, other: ItemList): boolean {
  const textOf = ({ foreach, over }: ItemList): string =>
    canonicalJson([foreach?.kind === 'result' ? 'result' : (foreach ?? 'none'), over ?? null]);
  // The axes of a grid are in an order, which a canonical text forgets.
  const axesOf = ({ foreach }: ItemList): string =>
    foreach?.kind === 'grid' ? Object.keys(foreach.axes).join('\n') : '';
  return axesOf(one) === axesOf(other) && textOf(one) === textOf(other);
}

function keptRanges(kept: readonly (readonly [place: number, number: number])[]): Placement['kept'] {
  const ranges: [place: number, number: number, count: number][] = [];
  for (const [place, number] of kept) {
    const last = ranges.at(-1);
    if (last !== undefined && last[0] + last[2] === place && last[1] + last[2] === number) last[2] += 1;
    else ranges.push([place, number, 1]);
  }
  return ranges;
}

/** Of numbers that rise. */
function rangesOf(numbers: readonly number[]): readonly NumberRange[] {
  const ranges: [first: number, count: number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[0] + last[1] === number) last[1] += 1;
    else ranges.push([number, 1]);
  }
  return ranges;
}

function resultsOf(foreach: Foreach, over: readonly unknown[] | undefined): ReadonlyMap<string, unknown> {
  return foreach.kind === 'result' ? new Map([[foreach.of, over]]) : new Map();
}
