// Drivers that are killed at random points of a run, 200 times on each database: the same artifacts as undisturbed, each task committed once.

import { testKilledDrivers } from '../support/killed-drivers.ts';

testKilledDrivers(200);
