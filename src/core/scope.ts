// One request's claim on the server: who asks, until when, how urgently, and whether the answer is still wanted. It goes
// from the protocol that made it through every stage, to the queue of a model.

import type { Actor } from './actor.ts';
import { HeadraceError } from './headrace-error.ts';

/** What is waited for by somebody goes before what nobody waits for. */
export type Priority = 'online' | 'batch' | 'shadow';

/** A span of a trace that is sampled. */
export interface Span {
  child(name: string): Span;
  set(name: string, value: string | number | boolean): void;
  /** `thrown` marks it as failed. */
  end(thrown?: unknown): void;
}

/** One request's, shadow's or batch's claim. */
export interface Scope {
  /** Printable ASCII, at most 128 characters. */
  readonly requestId: string;
  /** W3C trace id; null outside of a trace. */
  readonly traceId: string | null;
  readonly actor: Actor;
  /** When it must be answered, by `performance.now()`. */
  readonly deadlineMs: number;
  readonly priority: Priority;
  /** Undefined: not sampled. */
  readonly span: Span | undefined;
  /** Made when first asked for: it costs microseconds. */
  readonly signal: AbortSignal;
  /** Nobody waits for the answer any more. */
  readonly isCancelled: boolean;
  /** Throws HR_DEADLINE once the deadline has passed, HR_CANCELLED once nobody waits any more. */
  check(stage: string, rows: number): void;
  /** A claim within this one: cancelled with it. */
  child(over: Partial<Pick<Scope, 'deadlineMs' | 'priority' | 'span'>>): Scope;
}

/** What a request came over; once it is gone nobody waits for the answer. A socket is one. */
export interface Connection {
  readonly destroyed: boolean;
  once(event: 'close', listener: () => void): unknown;
}

export interface ScopeFacts
  extends Pick<Scope, 'requestId' | 'traceId' | 'actor' | 'deadlineMs' | 'priority' | 'span'> {
  /** Left out where the answer is always wanted. */
  readonly connection?: Connection | undefined;
}

export function createScope(facts: ScopeFacts): Scope {
  return new RequestScope(facts);
}

/** `rows`: how many were asked for; who asks for one can send no fewer. */
export function deadlinePassed(stage: string, rows: number): HeadraceError {
  const fewer = rows > 1 ? ', or send fewer rows' : '';
  return new HeadraceError('HR_DEADLINE', `the deadline passed while ${stage}. Raise X-Request-Timeout-Ms${fewer}.`);
}

export function cancelled(stage: string): HeadraceError {
  return new HeadraceError('HR_CANCELLED', `the client went away while ${stage}.`);
}

// A class, since one is made for every request: its methods are made once.
class RequestScope implements Scope {
  readonly requestId: string;
  readonly traceId: string | null;
  readonly actor: Actor;
  readonly deadlineMs: number;
  readonly priority: Priority;
  readonly span: Span | undefined;
  readonly #connection: Connection | undefined;
  #signal: AbortSignal | undefined;

  constructor(facts: ScopeFacts) {
    this.requestId = facts.requestId;
    this.traceId = facts.traceId;
    this.actor = facts.actor;
    this.deadlineMs = facts.deadlineMs;
    this.priority = facts.priority;
    this.span = facts.span;
    this.#connection = facts.connection;
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      const controller = new AbortController();
      this.#signal = controller.signal;
      if (this.isCancelled) controller.abort();
      else this.#connection?.once('close', () => controller.abort());
    }
    return this.#signal;
  }

  get isCancelled(): boolean {
    return this.#connection?.destroyed === true;
  }

  check(stage: string, rows: number): void {
    if (this.isCancelled) throw cancelled(stage);
    if (performance.now() > this.deadlineMs) throw deadlinePassed(stage, rows);
  }

  child(over: Partial<Pick<Scope, 'deadlineMs' | 'priority' | 'span'>>): Scope {
    const { requestId, traceId, actor, deadlineMs, priority, span } = this;
    return new RequestScope({
      requestId,
      traceId,
      actor,
      deadlineMs,
      priority,
      span,
      connection: this.#connection,
      ...over,
    });
  }
}
