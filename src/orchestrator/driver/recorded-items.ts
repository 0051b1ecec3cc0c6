// The items that a step or a group has opened with, as they are recorded: what a run that goes on compares with the items of now.

import { canonicalJson, counted, type Json, parseJson, stringifyJson } from '../../core/index.ts';
import type { Foreach } from '../../definitions/index.ts';
import { getBlob, type ObjectStore, putBlob, unlessUnreadable } from '../../storage/index.ts';
import type { Prepared } from '../engine/events.ts';
import type { Row } from '../engine/run-in-hand.ts';
import { countItems, itemAt, type ItemList, type Placement, placeAnew, UNCHANGED_ITEMS } from '../placement.ts';
import { readOrder, type StepOrder } from '../step/order.ts';

/** A row that is made ready, and may have begun some of its children before. */
export type BegunRow = Pick<Row, 'nextIndex' | 'order' | 'list' | 'placement'>;

const BLOB = 'blob:';

/** Stores what a group runs over. Gives where it lies. */
export async function recordItems(objects: ObjectStore, { foreach, over }: ItemList): Promise<string> {
  return await storeJson(objects, { foreach, over });
}

/** Undefined where each child has the number of its item's place. Throws HR_ARTIFACT_UNREADABLE, HR_STORAGE_UNAVAILABLE. */
export async function readPlacement(objects: ObjectStore, placement: string | null): Promise<Placement | undefined> {
  return placement === null ? undefined : ((await readJson(objects, placement)) as unknown as Placement); // stored below alone
}

/**
 * Places the children of a row that had begun some beside those. `now`: what it runs over by now; of a step its order of now, too, whose
 * needs its tasks take. Undefined where it had begun none. Throws HR_STORAGE_UNAVAILABLE.
 */
export async function placeBegun(
  objects: ObjectStore,
  row: BegunRow | undefined,
  now: ItemList,
  order?: Pick<StepOrder, 'action' | 'needs'>,
): Promise<{ readonly placement: Placement | undefined; readonly anew: NonNullable<Prepared['anew']> } | undefined> {
  if (row === undefined || row.nextIndex === 0) return undefined;
  const before = order === undefined ? await readList(objects, row, now) : await readStep(objects, row, now);
  const placementBefore = await readPlacement(objects, row.placement);
  const why = before?.order === undefined || order === undefined ? undefined : whyAnew(before.order, order);
  const isMadeAnew = before === undefined || why !== undefined;
  const list = { ...before?.list, placement: placementBefore };
  const { placement, end, dropped, isMoved } = placeAnew(list, row.nextIndex, now, isMadeAnew);
  const words =
    before === undefined
      ? 'it runs anew: the items that its tasks were begun for are not recorded'
      : why !== undefined
        ? `it runs anew: ${why}`
        : wordsOf(before.list, now, isMoved);
  const where = placement === undefined ? null : await storeJson(objects, placement);
  return { placement, anew: { placement: where, end, dropped, words } };
}

interface Recorded {
  readonly list: ItemList;
  /** Of a step whose order is there. */
  readonly order?: Pick<StepOrder, 'action' | 'needs'>;
}

async function readStep(objects: ObjectStore, row: BegunRow, now: ItemList): Promise<Recorded | undefined> {
  if (row.order === null) return await readList(objects, row, now);
  const order = await unlessUnreadable(readOrder(objects, row.order));
  return order && { list: { foreach: order.foreach, over: order.over }, order };
}

async function readList(objects: ObjectStore, { list }: BegunRow, now: ItemList): Promise<Recorded | undefined> {
  if (list === null) return undefined;
  if (list === UNCHANGED_ITEMS) return { list: now };
  const stored = list.startsWith(BLOB) ? await unlessUnreadable(readJson(objects, list)) : parseJson(list);
  // Stored by `recordItems`, or by the request to go on.
  return stored === undefined
    ? undefined
    : { list: stored as unknown as { foreach?: Foreach; over?: readonly Json[] } };
}

/** Why no task of a step can be kept, whatever its item is. */
function whyAnew(
  before: Pick<StepOrder, 'action' | 'needs'>,
  now: Pick<StepOrder, 'action' | 'needs'>,
): string | undefined {
  const others = otherNeeds(before.needs, now.needs);
  if (others.length > 0) return `${others.map((name) => `"${name}"`).join(', ')} gave another result since`;
  const [was, is] = [slicesOf(before), slicesOf(now)];
  // The first of four slices holds other rows than the first of six.
  return was === is ? undefined : `its rows are cut into ${is ?? 1} slices since, into ${was ?? 1} before`;
}

function slicesOf({ action }: Pick<StepOrder, 'action'>): number | undefined {
  return action.kind === 'predict' ? action.slices : undefined;
}

/** Needs that both have, and whose results differ: one that was added or taken away is an edit of the code, which what finished outlives. */
function otherNeeds(before: StepOrder['needs'], now: StepOrder['needs']): readonly string[] {
  return Object.keys(now).filter(
    (name) => Object.hasOwn(before, name) && canonicalJson(before[name]) !== canonicalJson(now[name]),
  );
}

/** Lists up to this length are compared item by item. */
const MOST_COMPARED = 100_000;

/** What an edit made of the items; null where they are as they were. */
function wordsOf(before: ItemList, now: ItemList, isMoved: boolean): string | null {
  const [was, is] = [countItems(before), countItems(now)];
  if ((before.foreach === undefined) !== (now.foreach === undefined))
    return now.foreach === undefined
      ? `it runs over no items any more: ${counted(was, 'item')} dropped`
      : `it runs over items since: ${is} new`;
  if (was > MOST_COMPARED || is > MOST_COMPARED)
    return isMoved || was !== is ? `items: ${was} before, ${is} by now; tasks of equal items are kept` : null;
  const left = new Map<string, number>();
  for (let place = 0; place < was; place++) {
    const text = canonicalJson(itemAt(before, place) ?? null);
    left.set(text, (left.get(text) ?? 0) + 1);
  }
  let kept = 0;
  for (let place = 0; place < is; place++) {
    const text = canonicalJson(itemAt(now, place) ?? null);
    const equal = left.get(text) ?? 0;
    if (equal === 0) continue;
    left.set(text, equal - 1);
    kept += 1;
  }
  if (kept === was && kept === is) return isMoved ? `items: ${kept} kept, in another order` : null;
  return `items: ${kept} kept, ${is - kept} new, ${was - kept} dropped`;
}

async function storeJson(objects: ObjectStore, value: unknown): Promise<string> {
  return `${BLOB}${await putBlob(objects, Buffer.from(stringifyJson(value)))}`;
}

async function readJson(objects: ObjectStore, at: string): Promise<Json> {
  return parseJson(Buffer.from(await getBlob(objects, at.slice(BLOB.length))).toString());
}
