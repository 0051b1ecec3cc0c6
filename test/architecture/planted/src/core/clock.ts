// Planted: the lowest level imports a higher one.

import { store } from '../online/index.ts';

export const clock = store;
