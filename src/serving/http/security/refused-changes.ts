// Attempts to change what is served that the gate refused, for the audit log; what comes further is told by whoever refuses it.
// Whoever has no valid key can make any number of them, so that few are written and the rest is counted.

import type { FastifyRequest } from 'fastify';
import {
  type Actor,
  createLastUsed,
  createRateLimit,
  type HeadraceError,
  type Logger,
  messageOf,
  withoutKeySecrets,
} from '../../../core/index.ts';
import type { AuditEntry } from '../../../registry/index.ts';
import { reasonOf } from './reason-header.ts';

export interface RefusedChanges {
  /** Writes what the gate refused of a route that `changes` something; does nothing for other routes and other errors. */
  tell(request: FastifyRequest, error: HeadraceError): void;
  /** The same of a change that came by another protocol. */
  note(change: RefusedChange, error: HeadraceError): void;
  /** Resolves when all is written. */
  settled(): Promise<void>;
}

export interface RefusedChange extends Pick<AuditEntry, 'action' | 'object' | 'reason'> {
  readonly actor: Actor;
}

/** Of the gate, and of nothing behind it. */
const REFUSALS = new Set([401, 403, 421, 429]);

/** In a row, then so many an hour. */
const BURST = 20;
const UNKNOWN_PER_HOUR = 60;
const KNOWN_PER_HOUR = 600;
const MOST_UNTOLD = 1000;

export function createRefusedChanges(write: (entry: AuditEntry) => Promise<void>, logger: Logger): RefusedChanges {
  const unknown = createRateLimit(UNKNOWN_PER_HOUR / 3600, undefined, BURST);
  const known = createRateLimit(KNOWN_PER_HOUR / 3600, undefined, BURST);
  /** Refusals since the last that was written. */
  const untold = createLastUsed<string, number>(MOST_UNTOLD);
  const writing = new Set<Promise<void>>();
  const refused: RefusedChanges = {
    tell(request, error) {
      const { changes } = request.routeOptions.config;
      if (changes === undefined) return;
      const object = objectOf(changes, request.params as Params);
      refused.note({ action: changes, object, actor: request.actor, reason: reasonOf(request) }, error);
    },
    note({ actor, ...change }, error) {
      if (!REFUSALS.has(error.status)) return;
      // All of them share one: addresses cost nothing.
      const isKnown = actor.roles.size > 0;
      const bucket = isKnown ? actor.name : 'anonymous';
      const missed = untold.get(bucket) ?? 0;
      if (!(isKnown ? known : unknown).take(bucket)) return untold.set(bucket, missed + 1);
      untold.delete(bucket);
      const entry: AuditEntry = {
        ...change,
        actor: actor.name,
        after: {
          refused: error.code,
          detail: withoutKeySecrets(error.message).slice(0, 500),
          ...(missed === 0 ? {} : { untold: missed }),
        },
      };
      const written: Promise<void> = write(entry)
        .catch((thrown: unknown) =>
          logger.error({ ...entry, failure: messageOf(thrown) }, 'a refused change could not be written'),
        )
        .finally(() => writing.delete(written));
      writing.add(written);
    },
    async settled() {
      await Promise.all(writing);
    },
  };
  return refused;
}

interface Params {
  readonly endpoint?: string;
  /** Of a rollout. */
  readonly id?: string;
  /** Of an experiment. */
  readonly name?: string;
}

function objectOf(changes: string, { endpoint, id, name = '' }: Params): string {
  // A plain model's name stands where an endpoint's does.
  const kind =
    endpoint === undefined || changes.startsWith('model.') ? changes.slice(0, changes.indexOf('.')) : 'endpoint';
  return `${kind}/${withoutKeySecrets(endpoint ?? id ?? name).slice(0, 200)}`;
}
