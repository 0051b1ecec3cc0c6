export { assign, type Assignable, isShadowed } from './assign.ts';
