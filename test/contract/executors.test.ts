// What every executor holds to, on this machine's and on the fleet's; those of clusters are in test/heavy, for a container each.

import { describe } from 'vitest';
import { testDatabases } from '../support/databases.ts';
import { holdToContract, type TestedExecutor } from '../support/executor-contract.ts';
import { openExecutorWorld, type WorldOptions } from '../support/executor-world.ts';
import { openFleetWorld } from '../support/fleet-world.ts';
import { isFull, rows } from '../support/tier.ts';

const local: TestedExecutor = {
  name: 'local',
  place: 'driver',
  start: async () => {},
  open: async (options) => openExecutorWorld(options),
  stop: async () => {},
};
const fleets = (): TestedExecutor[] =>
  testDatabases('the fleet').map((databases) => ({
    name: `fleet’s, on ${databases.name},`,
    place: 'worker',
    start: () => databases.start(),
    open: async (options: WorldOptions) => (await openFleetWorld(await databases.newUrl(), options)).world,
    stop: () => databases.stop(),
  }));

describe.each(rows([local], isFull ? fleets() : []))('the $name executor', holdToContract);
