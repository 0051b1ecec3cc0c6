// The registry: what is defined, in which version, which models exist, and which of them each endpoint serves.

import { randomBytes } from 'node:crypto';
import type { Clock } from '../core/index.ts';
import type { Database } from '../storage/index.ts';
import { type AuditLog, createAuditLog } from './audit-log.ts';
import { createDefinitionsRegistry, type DefinitionsRegistry } from './definitions/definitions-registry.ts';
import { createEndpointRegistry, type EndpointRegistry } from './endpoints.ts';
import { createModelRegistry, type ModelRegistry } from './models.ts';
import { registryMigrations } from './schema.ts';
import { createRegistryStore } from './store.ts';

export interface Registry {
  readonly definitions: DefinitionsRegistry;
  readonly models: ModelRegistry;
  readonly endpoints: EndpointRegistry;
  readonly auditLog: AuditLog;
  /** Grows with every change that anyone commits; one row by its key, cheap to poll. */
  changeToken(): Promise<number>;
}

/** Opens the registry in a database, making or migrating its tables. `newSalt` makes an endpoint's assignment salt. */
export async function openRegistry(
  database: Database,
  clock: Clock,
  newSalt: () => string = () => randomBytes(8).toString('hex'),
): Promise<Registry> {
  await database.migrate('registry', registryMigrations);
  const store = createRegistryStore(database, clock);
  return {
    definitions: createDefinitionsRegistry(store, newSalt),
    models: createModelRegistry(store),
    endpoints: createEndpointRegistry(store),
    auditLog: createAuditLog(store),
    changeToken: async () => (await store.state(store.db)).change_token,
  };
}
