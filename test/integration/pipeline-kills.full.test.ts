// Drivers that are killed at random points of a run, 20 times on each database: the same artifacts as undisturbed, each task committed once.
// twin: test/property/pipeline-engine.test.ts > that keeps going ends in the rows of a naive evaluation, whatever the order and whoever dies
// twin: test/property/run-store-batches.test.ts > rows are what a naive reading of the batches gives

import { testKilledDrivers } from '../support/killed-drivers.ts';

testKilledDrivers(20);
