// What guards a server: its keys, its tokens, the gate before every route, and the log of what it refused.

import type { Clock, Logger } from '../../../core/index.ts';
import type { AuditEntry } from '../../../registry/index.ts';
import { createGate, type Gate, type GateOptions } from './gate.ts';
import { type KeySource, openKeyRing } from './key-ring.ts';
import { createRefusedChanges, type RefusedChanges } from './refused-changes.ts';
import { createTokenVerifier, type TokenOptions } from './token-verifier.ts';

export interface SecurityOptions extends Pick<GateOptions, 'opensTo' | 'host' | 'rateLimit'> {
  readonly registry: KeySource & { readonly auditLog: { record(entry: AuditEntry): Promise<void> } };
  /** Undefined: the server takes no tokens. */
  readonly tokens: TokenOptions | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface Security {
  readonly gate: Gate;
  readonly refused: RefusedChanges;
  /** Other keys for tokens, such as those of a file that has changed. Throws HR_CONFIG, and keeps those before. */
  replaceTokens(tokens: TokenOptions): void;
  /** Looks for changed keys now instead of at the next tick. */
  refresh(): Promise<void>;
  close(): Promise<void>;
}

/** Throws HR_CONFIG for tokens' settings that don't fit, and what the registry throws. */
export async function openSecurity(options: SecurityOptions): Promise<Security> {
  const { registry, clock, logger } = options;
  let verifier = options.tokens === undefined ? undefined : createTokenVerifier(options.tokens, clock);
  let gate: Gate | undefined;
  let wasOpen: boolean | undefined;
  const tell = (): void => {
    const isOpen = gate?.isOpen();
    if (isOpen === wasOpen) return;
    wasOpen = isOpen;
    if (isOpen === true)
      logger.info({ host: options.host }, 'there are no keys: anybody who reaches the server is let in');
    else logger.info({}, 'requests take a key or a token');
  };
  const keys = await openKeyRing({
    source: registry,
    clock,
    logger,
    onChange() {
      gate?.forget();
      tell();
    },
  });
  const made = createGate({
    ...options,
    keys,
    tokens: verifier === undefined ? undefined : { verify: (token) => verifier?.verify(token) ?? Promise.reject() },
  });
  gate = made;
  tell();
  const refused = createRefusedChanges((entry) => registry.auditLog.record(entry), logger);
  return {
    gate: made,
    refused,
    replaceTokens(tokens) {
      verifier = createTokenVerifier(tokens, clock);
      made.forget();
    },
    refresh: () => keys.refresh(),
    async close() {
      await refused.settled();
      await keys.close();
    },
  };
}
