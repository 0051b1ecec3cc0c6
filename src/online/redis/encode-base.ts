// A base as the commands that write it: HSET, or a script where parts that it counts go with it, then how long the hash
// lives.

import type { BaseWrite, LifetimeOf, VersionId } from '../online-store.ts';
import { baseField, partField, type RecordKeys } from './record-keys.ts';
import { type CommandBuffer, encodeHead } from './resp/command-buffer.ts';
import { PUT_COUNTING_BASE } from './scripts.ts';

/** What a run's bases have in common. */
export interface BaseForm {
  readonly keys: RecordKeys;
  readonly version: VersionId;
  readonly lifetimeMs: LifetimeOf;
  /** Entities whose hashes may carry an expiry. */
  readonly mortal: Pick<ReadonlySet<string>, 'has'>;
}

const HSET = encodeHead(4, 'HSET');
const PERSIST = encodeHead(2, 'PERSIST');
const PEXPIRE = encodeHead(3, 'PEXPIRE');

function longer(lifetimeMs: number | undefined, { waitsMs = 0 }: BaseWrite): number | undefined {
  return lifetimeMs === undefined ? undefined : lifetimeMs + waitsMs;
}

/** Gives how many commands it wrote. */
export function writeBase(out: CommandBuffer, write: BaseWrite, form: BaseForm): number {
  const { entity, key, base, counted } = write;
  const { keys, version } = form;
  let commands = 1;
  if (counted !== undefined && counted.length > 0) {
    out.command(6 + counted.length);
    out.raw(PUT_COUNTING_BASE.byText);
    out.text(1);
    keys.writeKey(out, entity, key);
    out.raw(baseField(version).word);
    out.bytes(base);
    for (const part of counted) out.text(partField(version, part));
  } else {
    out.raw(HSET);
    keys.writeKey(out, entity, key);
    out.raw(baseField(version).word);
    out.bytes(base);
  }
  const lifetimeMs = longer(form.lifetimeMs(entity), write);
  if (lifetimeMs !== undefined) {
    commands++;
    out.raw(PEXPIRE);
    keys.writeKey(out, entity, key);
    out.text(Math.max(1, Math.ceil(lifetimeMs)));
  } else if (form.mortal.has(entity)) {
    commands++;
    out.raw(PERSIST);
    keys.writeKey(out, entity, key);
  }
  return commands;
}
