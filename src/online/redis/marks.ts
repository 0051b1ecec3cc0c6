// A node's mark of a version: its last run there, kept on the node itself under a tag of its first slot, so that what
// loses the node's last writes loses the mark too. It holds while three things are true: the node has the slots that it
// had; it has evicted no key since the run began; and no record can have expired before its time, because a clock was
// wrong for a while. Two things show the last: the node's clock differs from this process's as it did then, and the next
// of the run's witnesses is still there. These are keys beside the mark, each of which expires some days after the one
// before; if one is gone before its time, records may be gone with it. (Redis removes a key that has expired when it is
// read, or in a cycle that runs ten times a second: a clock that is wrong for less than that may leave no trace.)

import { systemClock } from '../../core/index.ts';
import { LIFETIME_SLACK_MICROS, type NodeMark, type VersionId } from '../online-store.ts';
import { tagOfSlot } from './cluster/slots.ts';
import type { RedisNode } from './cluster/topology.ts';
import { escapeName } from './record-keys.ts';
import { askOne } from './resp/ask-one.ts';
import type { Connection } from './resp/connection.ts';
import { readServerInfo, readServerTime, type ServerInfo } from './server-info.ts';

export interface MarkPlace {
  readonly connection: Connection;
  readonly node: RedisNode;
  readonly project: string;
  readonly version: VersionId;
}

/** What the next run compares: taken before the run's first write to the node, so that it covers the run itself too. */
export interface MarkStart {
  readonly run: number;
  /** By the node's clock, in milliseconds of Unix time. */
  readonly beganMs: number;
  /** By how much the node's clock was ahead of the run's process. */
  readonly aheadMs: number;
  readonly evictions: Evictions | undefined;
  /** Lifetimes of the witnesses, in milliseconds from `beganMs`, shortest first. */
  readonly witnessesMs: readonly number[];
}

/** How many keys a process of the server had evicted; undefined where INFO is refused. */
interface Evictions {
  /** INFO's `run_id`: another after each start of the server. */
  readonly server: string;
  readonly keys: number;
}

/** A mark as it is stored, as JSON. */
interface StoredMark extends MarkStart {
  readonly slots: string;
}

const SLACK_MS = LIFETIME_SLACK_MICROS / 1000;
/** After so many slacks without a run, the gaps between witnesses double. */
const EVENLY_SPACED = 32;

/**
 * Lifetimes of a mark's witnesses, for records that live so long. A record outlives by the slack the time at which its
 * values can be seen last. So of witnesses that lie no further apart than the slack, the next one due is gone whenever
 * a record is gone that could still be seen.
 */
export function witnessLifetimes(lifetimeMs: number): readonly number[] {
  const lifetimes: number[] = [];
  let [at, gap] = [0, SLACK_MS];
  while (at < lifetimeMs) {
    at += gap;
    lifetimes.push(at);
    if (lifetimes.length >= EVENLY_SPACED) gap *= 2;
  }
  return lifetimes;
}

/** Before the run's first write to the node: leaves its witnesses there. `lifetimeMs`: of its records. */
export async function beginMark(place: MarkPlace, run: number, lifetimeMs: number | undefined): Promise<MarkStart> {
  const { connection } = place;
  const evictions = evictionsOf(await readServerInfo(connection));
  const beganMs = await timeOf(connection);
  const aheadMs = beganMs - ownTime();
  const witnessesMs = lifetimeMs === undefined ? [] : witnessLifetimes(lifetimeMs);
  await Promise.all(
    witnessesMs.map((ms, index) => askOne(connection, 'SET', witnessKey(place, run, index), '', 'PX', ms)),
  );
  return { run, beganMs, aheadMs, evictions, witnessesMs };
}

/** Once all that the run wrote to the node is acknowledged. The witnesses of the mark before it go. */
export async function writeMark(place: MarkPlace, start: MarkStart): Promise<void> {
  const { connection, node } = place;
  const before = parseMark(await askOne(connection, 'GET', keyOf(place)));
  await askOne(connection, 'SET', keyOf(place), JSON.stringify({ ...start, slots: node.slots } satisfies StoredMark));
  if (before !== undefined && before.run !== start.run) await removeWitnesses(place, before);
}

export async function removeMark(place: MarkPlace): Promise<void> {
  const before = parseMark(await askOne(place.connection, 'GET', keyOf(place)));
  await askOne(place.connection, 'DEL', keyOf(place));
  if (before !== undefined) await removeWitnesses(place, before);
}

export async function readMark(place: MarkPlace): Promise<NodeMark> {
  const { connection, node } = place;
  const { name } = node;
  const mark = parseMark(await askOne(connection, 'GET', keyOf(place)));
  if (mark === undefined) return { node: name, run: undefined };
  if (mark.slots !== node.slots) return { node: name, run: undefined, lost: 'slots' };
  if (mark.evictions !== undefined && hasEvicted(mark.evictions, await readServerInfo(connection))) {
    return { node: name, run: undefined, lost: 'evicted' };
  }
  if (await hasExpiredEarly(place, mark)) return { node: name, run: undefined, lost: 'expired' };
  return { node: name, run: mark.run };
}

/** Of another process of the server nothing is known, but that one that evicts nothing did not. */
function hasEvicted(then: Evictions, info: ServerInfo | undefined): boolean {
  const now = evictionsOf(info);
  if (info === undefined || now === undefined) return false;
  if (now.server === then.server) return now.keys !== then.keys;
  return now.keys > 0 || info.get('maxmemory_policy') !== 'noeviction';
}

function evictionsOf(info: ServerInfo | undefined): Evictions | undefined {
  const server = info?.get('run_id');
  const keys = info?.get('evicted_keys');
  return server === undefined || keys === undefined ? undefined : { server, keys: Number(keys) };
}

/** Whether a record that can still be seen may be gone. */
async function hasExpiredEarly(place: MarkPlace, { run, beganMs, aheadMs, witnessesMs }: StoredMark): Promise<boolean> {
  if (witnessesMs.length === 0) return false;
  const nowMs = await timeOf(place.connection);
  if (Math.abs(nowMs - ownTime() - aheadMs) > SLACK_MS) return true;
  const passedMs = nowMs - beganMs;
  const due = witnessesMs.findIndex((ms) => ms > passedMs);
  // Every record that was there when the run began has come to its end by now.
  if (due === -1) return false;
  if ((await askOne(place.connection, 'EXISTS', witnessKey(place, run, due))) === 1) return false;
  // It may have come to its end between the two commands.
  return (await timeOf(place.connection)) - beganMs < (witnessesMs[due] as number);
}

async function removeWitnesses(place: MarkPlace, { run, witnessesMs }: StoredMark): Promise<void> {
  const keys = witnessesMs.map((_, index) => witnessKey(place, run, index));
  if (keys.length > 0) await askOne(place.connection, 'DEL', ...keys);
}

/** Marks of a time before they were JSON are a run's number, then the slots. */
function parseMark(found: unknown): StoredMark | undefined {
  if (found === null) return undefined;
  const text = String(found);
  // `writeMark` wrote it.
  if (text.startsWith('{')) return JSON.parse(text) as StoredMark;
  const [run = '', ...slots] = text.split(' ');
  return { run: Number(run), slots: slots.join(' '), beganMs: 0, aheadMs: 0, evictions: undefined, witnessesMs: [] };
}

/** By this process, in milliseconds of Unix time. */
const ownTime = (): number => systemClock.nowMicros() / 1000;

/** Milliseconds of Unix time by the server's clock. */
async function timeOf(connection: Connection): Promise<number> {
  return Math.floor((await readServerTime(connection)) / 1000);
}

function keyOf({ node, project, version }: MarkPlace): string {
  return `hr:mark:{${tagOfSlot(node.firstSlot)}}:${escapeName(project)}:${version}`;
}

function witnessKey(place: MarkPlace, run: number, index: number): string {
  return `${keyOf(place)}:${run}:${index}`;
}
