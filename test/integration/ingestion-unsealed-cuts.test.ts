// When cuts end: what waits for one to be sealed is let go where the writer gives its log up.

import { afterEach, beforeEach, expect, it } from 'vitest';
import { silentLogger } from '../../src/core/index.ts';
import { versionsOf } from '../../src/definitions/index.ts';
import { openEventLog } from '../../src/events/index.ts';
import { createCuts } from '../../src/ingestion/cuts.ts';
import { createFirstCuts } from '../../src/ingestion/first-cuts.ts';
import { createOpenCut } from '../../src/ingestion/open-cut.ts';
import { createPushedCount } from '../../src/ingestion/pushed-count.ts';
import { createShipping } from '../../src/ingestion/shipping.ts';
import { compileSourcePlans } from '../../src/ingestion/source-plan.ts';
import { eventDefinitions } from '../support/event-definitions.ts';
import { type IngestionWorld, LIMITS, openIngestionWorld } from '../support/ingestion-world.ts';
import { onlineStoreKinds } from '../support/online-stores.ts';

const [embedded = expect.fail('there is no online store')] = onlineStoreKinds();
const definitions = eventDefinitions();

let world: IngestionWorld;
beforeEach(async () => {
  world = await openIngestionWorld(embedded);
});
afterEach(() => world.close());

it('a run that asks while the cut before waits for the store is let go once that cut is left to whoever settles', async () => {
  const { runs, schemas, clock, database, objects } = world;
  const logger = silentLogger;
  const path = world.logPath('a');
  const eventLog = await openEventLog({ path, database, objects, clock, logger });
  const log = await eventLog.register();
  const store = await world.store.writer({ writer: 1, holder: 1, lifetimeMs: () => undefined, onNode() {} });
  const derived = () => expect.fail('no column here is derived');
  const kept = { definitions, versions: versionsOf(definitions) };
  const plans = compileSourcePlans(kept, { deriver: () => derived, logger }, 1);
  const view = new Map(plans.live().map(({ codec }) => [codec.version, [-Infinity]]));
  await log.openCut(view);
  const linked = Promise.withResolvers<boolean>();
  const shipping = createShipping(log, runs, logger);
  const cuts = createCuts(
    {
      deps: { runs, schemas, logger, limits: LIMITS, clock },
      log,
      store,
      shipping,
      firstCuts: createFirstCuts(undefined, 1, logger),
      counted: createPushedCount(undefined, 1),
      linked: () => linked.promise,
    },
    createOpenCut(1, 1, view, plans),
  );
  await world.ask(definitions.manifest);
  await cuts.answerRuns(plans);
  expect(cuts.unsealed.map(({ cut }) => cut)).toEqual([1, 2]);

  await world.ask(definitions.manifest);
  const answered = cuts.answerRuns(plans);
  // As where the store refuses the writer's parts.
  cuts.stop();
  linked.resolve(false);
  await answered;
  expect(cuts.unsealed.map(({ cut }) => cut)).toEqual([1, 2]);
  cuts.close();
  await store.close();
  await log.close();
  await eventLog.close();
});
