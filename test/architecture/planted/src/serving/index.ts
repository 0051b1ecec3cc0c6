// Planted: past a folder's index.ts.

import { registry } from '../registry/index.ts';
import { rows } from '../registry/store.ts';

export const serving = [registry, rows];
