// What each node keeps of the registry that writes to it: its name and the greatest numbers of writers and runs, a hash under
// a tag of the node's first slot.

import { type NodeNotes, otherRegistry } from '../store-notes.ts';
import type { WriterLink } from '../online-store.ts';
import { tagOfSlot } from './cluster/slots.ts';
import type { RedisNode } from './cluster/topology.ts';
import { escapeName } from './record-keys.ts';
import { askOne } from './resp/ask-one.ts';
import type { Connection } from './resp/connection.ts';

export interface NotePlace {
  readonly connection: Connection;
  readonly node: RedisNode;
  readonly project: string;
  /** The store, as it may be shown. */
  readonly label: string;
}

/**
 * KEYS[1] the notes; ARGV: the registry, `writer` or `run`, its number, and a writer's token. Gives the registry that the node
 * belongs to: where that is another, nothing is noted; then the token of the writer that has the number, if one has it.
 */
const NOTE = `
local registry = redis.call('HGET', KEYS[1], 'registry')
if registry and registry ~= ARGV[1] then return {registry} end
redis.call('HSET', KEYS[1], 'registry', ARGV[1])
local greatest = tonumber(redis.call('HGET', KEYS[1], ARGV[2]) or '0')
local number = tonumber(ARGV[3])
if number > greatest then
  redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
  if ARGV[4] then redis.call('HSET', KEYS[1], 'token', ARGV[4]) end
end
if number == greatest and ARGV[4] then return {ARGV[1], redis.call('HGET', KEYS[1], 'token') or ''} end
return {ARGV[1]}
`;

export async function readNotes({ connection, ...place }: NotePlace): Promise<NodeNotes> {
  // HMGET gives words, or null.
  const [registry, writer, run] = (await askOne(
    connection,
    'HMGET',
    keyOf(place),
    'registry',
    'writer',
    'run',
  )) as readonly (Buffer | null)[];
  return { registry: registry?.toString(), writer: Number(writer ?? 0), run: Number(run ?? 0) };
}

/** False where another writer has the number. Throws HR_OTHER_REGISTRY. */
export async function noteWriter(place: NotePlace, link: Pick<WriterLink, 'writer' | 'owner'>): Promise<boolean> {
  if (link.owner === undefined) return true;
  const { registry, token } = link.owner;
  const holder = await note(place, registry, 'writer', link.writer, token);
  return holder === undefined || holder === token;
}

/** Throws HR_OTHER_REGISTRY. */
export async function noteRun(place: NotePlace, run: number, registry: string | undefined): Promise<void> {
  if (registry !== undefined) await note(place, registry, 'run', run);
}

export async function adoptNode({ connection, ...place }: NotePlace, registry: string): Promise<void> {
  await askOne(connection, 'HSET', keyOf(place), 'registry', registry);
}

/** Gives the token of the writer that has the number. */
async function note(
  { connection, label, ...place }: NotePlace,
  registry: string,
  ...words: readonly (string | number)[]
): Promise<string | undefined> {
  const reply = await askOne(connection, 'EVAL', NOTE, 1, keyOf(place), registry, ...words);
  // The script gives one or two words.
  const [owner = '', token] = (reply as readonly Buffer[]).map(String);
  if (owner !== registry) throw otherRegistry(owner, registry, label);
  return token;
}

function keyOf({ node, project }: Pick<NotePlace, 'node' | 'project'>): string {
  return `hr:registry:{${tagOfSlot(node.firstSlot)}}:${escapeName(project)}`;
}
