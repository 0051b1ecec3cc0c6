// Errors of experiments.

import { define } from './catalogue-entry.ts';

export const EXPERIMENT_ERRORS = define({
  HR_UNKNOWN_EXPERIMENT: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown experiment',
    help: 'The applied definitions have no experiment of that name, and none ever ran. `headrace experiments list` shows them.',
  },
  HR_EXPERIMENT_RUNNING: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'An experiment runs',
    help: 'The definitions would take away what a running experiment uses: itself, an endpoint that it is bound to, or that endpoint’s model. Stop it (`headrace experiments stop NAME`), or leave what it uses where it is; `--yes` does not go ahead here.',
  },
});
