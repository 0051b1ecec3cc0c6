// Planted: a folder of the same level.

import { store } from '../online/index.ts';
import { rows } from './store.ts';

export const registry = [store, rows];
