// The oracle: what each read must count of the events that were acknowledged and of the rows in the files, said naively. It is
// strict where the protocol promises something, and says nothing of what a failover has just taken.

import { MICROS_PER_MINUTE } from '../../src/core/index.ts';
import { type Key, KEYS, keyOf, NOW } from './definitions.ts';
import { DIGIT, type Event, microsOf } from './facts.ts';
import { type OpenedRun, type ReadVersion, type World, Wrong } from './world.ts';

/** Throws Wrong. */
export async function check(world: World): Promise<void> {
  for (const version of world.complete) {
    // Each complete version is one of them.
    const read = world.versions.get(version) as ReadVersion;
    for (const key of KEYS) await checkKey(world, read, key);
  }
}

async function checkKey(world: World, version: ReadVersion, key: Key): Promise<void> {
  const times = await readTimes(version.reader, key, world.facts.ofKey(key));
  if (times === 'invalid') {
    if (world.forgotten.has(version.version)) return;
    throw new Wrong(`${version.version} ${key}: the row of its run is gone`);
  }
  const last = version.opened.findLastIndex(({ isFinished }) => isFinished);
  const finished = version.opened[last];
  const about: Reading = {
    version: version.version,
    since: finished === undefined ? [] : version.opened.slice(last),
    isWhole: finished === undefined ? !world.hasFailedOver : world.store.isWhole(finished.number, keyOf(key)),
    isWritten: !world.lacking.has(world.store.nodeOfKey(keyOf(key))),
  };
  for (const event of world.facts.ofKey(key)) checkEvent(world, event, times[event.digit] ?? 0, about);
}

/** How often each event of a key counts, as a reader has it now. */
async function readTimes(
  reader: ReadVersion['reader'],
  key: Key,
  events: readonly Event[],
): Promise<readonly number[] | 'invalid'> {
  // As a server reads: what is known a minute ahead of its clock counts.
  const [row] = await reader.read([[keyOf(key)]], NOW, MICROS_PER_MINUTE);
  const read = row?.[0];
  if (read?.statuses[0] === 'INVALID') return 'invalid';
  let sum = BigInt((read?.values[0] ?? 0) as number | bigint);
  return events.map(() => {
    const times = Number(sum % BigInt(DIGIT));
    sum /= BigInt(DIGIT);
    return times;
  });
}

interface Reading {
  readonly version: string;
  /** Opened runs from the last finished one on: any of them may have written the base. */
  readonly since: readonly OpenedRun[];
  /** The node lost nothing since the last finished run marked it. */
  readonly isWhole: boolean;
  /** Writers have written again what it lost of theirs. */
  readonly isWritten: boolean;
}

function checkEvent(world: World, event: Event, times: number, about: Reading): void {
  const { version, since, isWhole } = about;
  const deny = (what: string): never => {
    throw new Wrong(`${version} ${event.key}: event ${event.digit} ${what}`);
  };
  if (times > 1) deny(`counted ${times} times`);
  if (world.forgotten.has(version)) return;
  const isFiled = ({ files, boundary }: OpenedRun) =>
    files.has(event) && (world.facts.mode === 'keep' || microsOf(event) <= boundary);
  if (times === 1) {
    const hasLeft = isWhole && since.length > 0 && !event.isPushed && !since.some(isFiled);
    if (hasLeft) deny('has left the files and counts');
    return;
  }
  if (event.isAcknowledged && isPromised(world, event, about)) deny('acknowledged and lost');
  if (isWhole && since.length > 0 && since.every(isFiled)) deny('is in the files and not counted');
}

/** Whether a read must count an acknowledged event now, wherever it lies. */
function isPromised({ facts, logs, hasFailedOver }: World, event: Event, about: Reading): boolean {
  const { version, isWhole, isWritten } = about;
  if (!isWritten || (facts.mode === 'until-materialized' && !isWhole)) return false;
  return logs.placesOf(event.key, BigInt(DIGIT ** event.digit)).every(({ view, isLost, isForgotten }) => {
    const isFolded = view.has(version);
    // Nobody is left to write it again, and in this mode the files have what was given up.
    if (isLost && (hasFailedOver || !isFolded || (isForgotten && facts.mode === 'until-materialized'))) return false;
    return isFolded || isWhole;
  });
}
