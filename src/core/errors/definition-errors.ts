// Errors of commands, definitions and names that are not there.

import { define } from './catalogue-entry.ts';

export const DEFINITION_ERRORS = define({
  HR_USAGE: {
    status: 400,
    grpc: 'INVALID_ARGUMENT',
    title: 'Wrong usage',
    help: 'A command was called with words or options it does not take. `--help` shows its forms.',
  },
  HR_CONFIG: {
    status: 400,
    grpc: 'FAILED_PRECONDITION',
    title: 'Bad configuration',
    help: 'headrace.config.ts or a HEADRACE_… variable holds an unknown key or a wrong value; the sentence names it.',
  },
  HR_DEFINITION: {
    status: 400,
    grpc: 'INVALID_ARGUMENT',
    title: 'Bad definitions',
    help: 'The feature repository does not compile. Every mistake is listed with its file, line and column, its object and its fix.',
  },
  HR_CODE_MISSING: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Code of a function is missing',
    help: 'The applied definitions name a function whose code the artifact store does not give. Run `headrace apply` from the repository again.',
  },
  HR_CODE_ALTERED: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Code of a function was altered',
    help: 'A bundle in the artifact store is not what its name, its hash, says. It is never run. Run `headrace apply` from the repository again.',
  },
  HR_OTHER_PROJECT: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Another project’s registry',
    help: 'A registry holds the definitions of one project, and the online store keeps records by its name. Set `project` (HEADRACE_PROJECT) to the one that is applied, or `registry.url` to a registry of its own.',
  },
  HR_OLDER_COMMIT: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Applied from a newer commit',
    help: 'What is applied came from a commit after the one that the feature repository is at: this apply would take it back. Update the working copy, or go back on purpose with `headrace rollback` or `apply --yes`.',
  },
  HR_UNKNOWN_REVISION: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown revision',
    help: 'Nothing was applied under that revision. `headrace history` lists them.',
  },
  HR_NOT_LOADED: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Definitions could not be loaded',
    help: 'The server could not load what is applied, a bundle of its code for one; the sentence says why. It tries again all the time; `headrace apply` from the feature repository stores bundles anew.',
  },
  HR_VERSION_INCOMPLETE: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'View version not complete',
    help: 'What was asked for reads a version of a view that no run has filled yet, or whose records were removed. The sentence has the `headrace materialize` that fills it; until then earlier versions answer where there are any.',
  },
  HR_REGISTRY_OUTDATED: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Registry of an earlier version',
    help: 'The registry was made by an earlier version of Headrace and lacks the migrations that the sentence names. `plan` and all that only reads leave it as it is; `headrace apply` of this version migrates it.',
  },
  HR_NOTHING_APPLIED: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Nothing applied yet',
    help: 'The registry is empty. Run `headrace apply` first.',
  },
  HR_BREAKING_CHANGE: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Breaking change refused',
    help: 'The plan would break something in use. Look at `headrace plan`; `apply --yes` goes ahead.',
  },
  HR_CONFLICT: {
    status: 409,
    grpc: 'ABORTED',
    title: 'Changed by someone else',
    help: 'Someone else changed the same thing first. Read it again, then repeat your change.',
  },
  HR_PRECONDITION: {
    status: 412,
    grpc: 'ABORTED',
    title: 'ETag does not match',
    help: 'If-Match carried an ETag that is no longer current. GET the endpoint again and repeat.',
  },
  HR_INVALID: {
    status: 400,
    grpc: 'INVALID_ARGUMENT',
    title: 'Invalid input',
    help: 'A value is missing or has the wrong type; `errors` names each row and column, what came and what was expected.',
  },
  HR_MALFORMED_JSON: {
    status: 400,
    grpc: 'INVALID_ARGUMENT',
    title: 'Malformed JSON',
    help: 'The body or argument is not JSON.',
  },
  HR_UNKNOWN_ROUTE: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'No such route',
    help: 'The server has no such path. /docs lists them.',
  },
  HR_METHOD_NOT_ALLOWED: {
    status: 405,
    grpc: 'UNIMPLEMENTED',
    title: 'Method not allowed',
    help: 'The path is there, but takes other methods: `Allow` names them.',
  },
  HR_UNKNOWN_FEATURE: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown feature',
    help: 'The service has no feature of that name.',
  },
  HR_UNKNOWN_SERVICE: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown feature service',
    help: 'The applied definitions have no feature service of that name.',
  },
  HR_UNKNOWN_VIEW: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown feature view',
    help: 'The applied definitions have no feature view of that name.',
  },
  HR_UNKNOWN_SOURCE: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown source',
    help: 'The applied definitions have no source of that name.',
  },
  HR_UNKNOWN_MODEL: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown model or version',
    help: 'The registry has no model, version or alias of that name.',
  },
  HR_UNKNOWN_ENDPOINT: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown endpoint',
    help: 'The applied definitions have no endpoint of that name.',
  },
  HR_UNKNOWN_TRAINING_SET: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown training set',
    help: 'No training set has that id or name. `headrace training-set list` shows them.',
  },
  HR_UNKNOWN_PIPELINE: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown pipeline',
    help: 'The feature repository has no pipeline of that name.',
  },
  HR_UNKNOWN_RUN: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown run',
    help: 'No run has that id. `headrace runs list` shows them.',
  },
});
