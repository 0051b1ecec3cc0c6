// A record of a log as a message of its partition. The key says whose it is, `<writer>-<token>.<holder>`; the value is the
// record's frame, as on disk. What a holder writes between two fences is a session, which begins with a record of its own.

import { type Frame, packFrame, readFrame } from '../records/frame.ts';
import { type LogRecord, type Positions, readRecord } from '../records/log-record.ts';

/** Whose a message is. */
export interface MessageOwner {
  readonly writer: number;
  readonly token: string;
  readonly holder: number;
}

/** The first record of a session. */
export interface SessionRecord {
  readonly kind: 'session';
  /**
   * The holder's own session before it counts up to this offset of the partition, where the log stood so: what lies after
   * it was never acknowledged, and is void. Null: all before it counts.
   */
  readonly keep: (Positions & { readonly to: number }) | null;
}

export type MessageRecord = LogRecord | SessionRecord;

export interface LogMessage extends MessageOwner {
  readonly record: MessageRecord;
  readonly body: () => Buffer;
}

const SESSION = 0x4f;
const KEY = /^(\d{1,15})-([0-9a-f]{1,64})\.(\d{1,15})$/;

export const packKey = ({ writer, token, holder }: MessageOwner): Buffer => Buffer.from(`${writer}-${token}.${holder}`);

export function packSession({ keep }: SessionRecord): Buffer {
  return packFrame(SESSION, JSON.stringify({ keep }));
}

/** Undefined for a key that is none of ours. */
export function readKey(key: Uint8Array | null): MessageOwner | undefined {
  const [, writer, token, holder] = KEY.exec(Buffer.from(key ?? []).toString('latin1')) ?? [];
  if (writer === undefined || token === undefined || holder === undefined) return undefined;
  return { writer: Number(writer), token, holder: Number(holder) };
}

/** A sentence says why it is no record of a log. */
export function readMessage(key: Uint8Array | null, value: Uint8Array | null): LogMessage | string {
  const owner = readKey(key);
  if (owner === undefined) return 'a message that Headrace did not write';
  if (value === null) return 'a message without a value';
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  const frame = readFrame(bytes, 0);
  if (typeof frame === 'string') return frame === 'torn' ? 'a message that ends inside its frame' : frame;
  if (frame.end !== bytes.length) return 'a message that goes on after its frame';
  const record = recordOf(frame);
  return record === undefined ? `a message of an unknown kind (${frame.kind})` : { ...owner, record, body: frame.body };
}

function recordOf(frame: Frame): MessageRecord | undefined {
  if (frame.kind !== SESSION) return readRecord(frame);
  // The checksum held, so this is what was packed.
  const { keep } = JSON.parse(frame.header) as Pick<SessionRecord, 'keep'>;
  return { kind: 'session', keep };
}
