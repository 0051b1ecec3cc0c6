// Prints where this process may make control groups; nothing where it may not.

import { findGroupsFolder } from '../../src/orchestrator/step/groups-folder.ts';

console.log(findGroupsFolder() ?? '');
