import { clock } from '../core/clock.ts';

export const store = clock;
