// Content-addressed blobs on any object store: named by their SHA-256, written once, checked at every read.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { HeadraceError, MICROS_PER_MINUTE, sha256Hex } from '../../core/index.ts';
import type { ObjectStore } from '../object-store.ts';

/** Stores bytes; gives their SHA-256 in hex. Storing the same bytes again writes nothing, unless what is there is damaged, or was not written just now. */
export async function putBlob(store: ObjectStore, bytes: Uint8Array): Promise<string> {
  const hash = sha256Hex(bytes);
  const isNew = await store.put(blobKey(hash), bytes, { ifAbsent: true });
  if (!isNew && (await isStale(store, hash))) await store.put(blobKey(hash), bytes);
  return hash;
}

/** Stores a local file, not held in memory while it is new; gives its SHA-256 in hex. */
export async function putBlobFile(store: ObjectStore, path: string): Promise<string> {
  const hasher = createHash('sha256');
  for await (const chunk of createReadStream(path)) hasher.update(chunk as Uint8Array); // No encoding was set: bytes.
  const hash = hasher.digest('hex');
  const isNew = await store.putFile(blobKey(hash), path, { ifAbsent: true });
  if (!isNew && (await isStale(store, hash))) await store.putFile(blobKey(hash), path);
  return hash;
}

/** What nobody has named until now goes by its age (`headrace gc`): it is written anew before somebody does. */
const FRESH_MICROS = 10 * MICROS_PER_MINUTE;

async function isStale(store: ObjectStore, hash: string): Promise<boolean> {
  const wanted = blobKey(hash);
  for await (const { key, modifiedMicros } of store.list(wanted)) {
    if (key !== wanted) continue;
    return Date.now() * 1000 - modifiedMicros > FRESH_MICROS || !(await isWhole(store, hash));
  }
  return true;
}

async function isWhole(store: ObjectStore, hash: string): Promise<boolean> {
  const bytes = await store.get(blobKey(hash));
  return bytes !== undefined && sha256Hex(bytes) === hash;
}

/** The bytes of a blob. Throws HR_ARTIFACT_UNREADABLE when it is missing or its content is not what its hash says. */
export async function getBlob(store: ObjectStore, hash: string): Promise<Uint8Array> {
  const bytes = await getUnchecked(store, hash);
  const found = sha256Hex(bytes);
  if (found !== hash) {
    throw new HeadraceError('HR_ARTIFACT_UNREADABLE', `artifact ${hash} is damaged: its content hashes to ${found}`);
  }
  return bytes;
}

/** What lies under a blob's name, for who checks it. Throws HR_ARTIFACT_UNREADABLE when nothing does. */
export async function getUnchecked(store: ObjectStore, hash: string): Promise<Uint8Array> {
  checkName(hash);
  const bytes = await store.get(blobKey(hash));
  if (bytes === undefined) throw missing(hash);
  return bytes;
}

/**
 * What `reading` gives; undefined where an artifact that it reads is missing or damaged (HR_ARTIFACT_UNREADABLE). Throws what else
 * `reading` throws.
 */
export async function unlessUnreadable<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof HeadraceError && error.code === 'HR_ARTIFACT_UNREADABLE') return undefined;
    throw error;
  }
}

/** Whether a blob is there, by its name alone. */
export async function hasBlob(store: ObjectStore, hash: string): Promise<boolean> {
  const wanted = blobKey(hash);
  for await (const { key } of store.list(wanted)) if (key === wanted) return true;
  return false;
}

/** Bytes of what lies under a blob's name. Throws HR_ARTIFACT_UNREADABLE when nothing does. */
export async function sizeOfBlob(store: ObjectStore, hash: string): Promise<number> {
  checkName(hash);
  const wanted = blobKey(hash);
  for await (const { key, size } of store.list(wanted)) if (key === wanted) return size;
  throw missing(hash);
}

function checkName(hash: string): void {
  if (/^[0-9a-f]{64}$/.test(hash)) return;
  const got = JSON.stringify(hash.slice(0, 80));
  throw new HeadraceError('HR_INVALID', `a blob's name is a SHA-256 in hex, got ${got}`);
}

function missing(hash: string): HeadraceError {
  const sentence = `artifact ${hash} is not in the store; make or register it again`;
  return new HeadraceError('HR_ARTIFACT_UNREADABLE', sentence);
}

export function blobKey(hash: string): string {
  return `blobs/${hash.slice(0, 2)}/${hash}`;
}
