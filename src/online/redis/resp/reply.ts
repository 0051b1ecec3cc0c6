// A whole reply as values, or walked in place by who knows its form.

/** What the server refused: its first word is a code such as MOVED or OOM. */
export class RedisReplyError extends Error {
  /** The first word. */
  readonly code: string;

  constructor(message: string) {
    super(message);
    this.name = 'RedisReplyError';
    this.code = /^\S*/.exec(message)?.[0] ?? '';
  }
}

export type Reply = Buffer | string | number | null | RedisReplyError | readonly Reply[];

/** Walks a reply that is known to be whole. */
export class ReplyCursor {
  readonly bytes: Buffer;
  at: number;

  constructor(bytes: Buffer, at: number) {
    this.bytes = bytes;
    this.at = at;
  }

  /** Reads the head of an array, or of a word whose bytes then lie at `at`: its length; −1 is null. */
  length(): number {
    const { bytes } = this;
    let at = this.at + 1;
    let value = 0;
    const isNull = bytes[at] === 45;
    if (isNull) at++;
    for (let byte = bytes[at] as number; byte !== 13; byte = bytes[++at] as number) value = value * 10 + byte - 48;
    this.at = at + 2;
    return isNull ? -1 : value;
  }

  /** Reads a whole word where it lies, without a copy. */
  word(): Buffer | null {
    const size = this.length();
    if (size < 0) return null;
    const from = this.at;
    this.at = from + size + 2;
    return this.bytes.subarray(from, from + size);
  }

  /** Reads any reply. */
  reply(): Reply {
    switch (this.bytes[this.at]) {
      case 36:
        return this.word();
      case 42: {
        const count = this.length();
        if (count < 0) return null;
        const replies: Reply[] = [];
        for (let i = 0; i < count; i++) replies.push(this.reply());
        return replies;
      }
      case 58:
        return Number(this.#line());
      case 45:
        return new RedisReplyError(this.#line());
      default:
        return this.#line();
    }
  }

  #line(): string {
    const from = this.at + 1;
    const to = this.bytes.indexOf(13, from);
    this.at = to + 2;
    return this.bytes.toString('utf8', from, to);
  }
}

export function readReply(bytes: Buffer, start: number): Reply {
  return new ReplyCursor(bytes, start).reply();
}

export function isErrorReply(bytes: Buffer, start: number): boolean {
  return bytes[start] === 45;
}
