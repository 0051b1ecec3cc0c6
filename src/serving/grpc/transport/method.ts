// What a service's method is to the transport: which role it takes, and what it makes of messages.

import type { Actor, HeadraceError, Scope } from '../../../core/index.ts';
import type { RouteRole } from '../../http/security/route-role.ts';

/** One call, as its method sees it. */
export interface CallContext {
  readonly requestId: string;
  readonly actor: Actor;
  /**
   * Lets the caller in, on `endpoint` where the message names one; nothing is answered without. On a stream it is asked for each
   * message. Throws HR_FORBIDDEN, HR_OVERLOADED (rate).
   */
  permit(endpoint?: string): void;
  /** The claim of the message under way, until the call's deadline. `timeoutMs`: the message's own, where that is shorter. */
  scope(timeoutMs?: number): Scope;
  /** Of the call's metadata; undefined where it has none, or several. */
  header(name: string): string | undefined;
  /** Rows that failed where the others are answered. */
  rowsFailed(errors: readonly HeadraceError[]): void;
}

export interface StreamCall extends CallContext {
  /** Sends what `writeMessage` gives. A promise while the client has not read what was sent before. */
  send(message: Buffer): Promise<void> | undefined;
  /** Ends the call with a failure. */
  fail(thrown: unknown): void;
}

export interface StreamHandler {
  /**
   * The next message is given once the promise has resolved; what it rejects with ends the call. `release` is to be called once
   * nothing of the message is held any more: until then it counts among the bytes of all bodies.
   */
  message(message: Buffer, release: () => void): Promise<void> | undefined;
  /** The client sends no more: the call ends well once the promise has resolved. */
  ended(): Promise<void> | undefined;
  /** The server is stopping: the call ends once the promise has resolved. */
  stopping(): Promise<void> | undefined;
  /** The call is over, however it ended. */
  closed(): void;
}

export interface UnaryMethod {
  readonly kind: 'unary';
  readonly role: RouteRole;
  /** The audit log's word for what it changes, such as `model.load`, and the object's name in a message: what the gate refuses is told there. */
  readonly changes?: { readonly action: string; readonly object: (message: Buffer) => string };
  /** Gives what `writeMessage` gives. */
  answer(message: Buffer, call: CallContext): Promise<Buffer> | Buffer;
}

export interface StreamMethod {
  readonly kind: 'stream';
  readonly role: RouteRole;
  open(call: StreamCall): StreamHandler;
}

export type Method = UnaryMethod | StreamMethod;

/** By path, such as `/headrace.v1.ServingService/Predict`. */
export type Methods = ReadonlyMap<string, Method>;
