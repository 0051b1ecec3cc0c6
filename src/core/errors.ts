// Every error a user can meet: code, HTTP status, gRPC status, and what its sentence must say.
// docs/reference/errors.md is generated from this catalogue (npm run docs).

/** Names as in google.rpc.Code. */
export type GrpcStatus =
  | 'INVALID_ARGUMENT'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'UNAUTHENTICATED'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'DEADLINE_EXCEEDED'
  | 'UNAVAILABLE'
  | 'UNIMPLEMENTED'
  | 'INTERNAL';

interface CatalogueEntry {
  readonly status: number;
  readonly grpc: GrpcStatus;
  /** The problem's title: a few words, the same each time. */
  readonly title: string;
  /** For the reference page: when it happens and what to do. */
  readonly help: string;
}

const define = <const T extends Readonly<Record<string, CatalogueEntry>>>(entries: T): T => entries;

export const ERRORS = define({
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
  HR_SOURCE_UNREADABLE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Source cannot be read',
    help: 'A file is missing, corrupt, or lacks a declared column; the sentence names the file and the column.',
  },
  HR_SOURCE_CHANGED: {
    status: 409,
    grpc: 'ABORTED',
    title: 'Source changed while it was read',
    help: 'A file of a source was overwritten or replaced in the middle of a run; the sentence names it. Run it again.',
  },
  HR_SPINE: {
    status: 400,
    grpc: 'INVALID_ARGUMENT',
    title: 'Bad spine',
    help: 'The spine lacks a column that the service needs, or holds one under a reserved or colliding name.',
  },
  HR_INTEGER_OVERFLOW: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Sum past int64',
    help: 'A sum of integers left the int64 range; the sentence names the key. Sum a float64 instead.',
  },
  HR_TRANSFORM_FAILED: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'A user function failed',
    help: 'A derive or transform function threw, or returned a value of the wrong type.',
  },
  HR_AUDIT_FAILED: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Audit failed',
    help: 'The training set does not agree with the oracle, or used a fact before it could be known.',
  },
  HR_MATERIALIZE_RANGE: {
    status: 400,
    grpc: 'INVALID_ARGUMENT',
    title: 'Bad range',
    help: 'The range is empty, or ends in the future.',
  },
  HR_BOUNDARY_HELD: {
    status: 409,
    grpc: 'ABORTED',
    title: 'A writer does not answer',
    help: 'The view has no boundary yet, and a writer of pushes did not answer. Run it again; `headrace log forget` is for a machine that will not return.',
  },
  HR_MATERIALIZE_BUSY: {
    status: 409,
    grpc: 'ABORTED',
    title: 'Another run took over',
    help: 'A later run of the view began while this one was at work. What that one wrote stands; run yours again if it is still wanted.',
  },
  HR_ONLINE_UNAVAILABLE: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Online store unavailable',
    help: 'The online store did not answer. It is retried by itself; check its URL and that it runs.',
  },
  HR_STORAGE_FULL: {
    status: 507,
    grpc: 'RESOURCE_EXHAUSTED',
    title: 'Storage full',
    help: 'A disk or store is full. What was written before stays whole; free space and run the command again.',
  },
  HR_STORAGE_UNAVAILABLE: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Storage unavailable',
    help: 'The registry’s database or the object store does not answer, or refuses us. Check its URL and that it runs.',
  },
  HR_LOG_DAMAGED: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Event log damaged',
    help: 'A file of the event log is not what its checksums say; the sentence names file and byte. Nothing is skipped: restore it, or give it up with `headrace log forget`.',
  },
  HR_UNKNOWN_WRITER: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Unknown writer',
    help: 'The registry has no event log writer of that number. `headrace log list` shows them.',
  },
  HR_ARTIFACT_UNREADABLE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Artifact missing or damaged',
    help: 'A file of the artifact store is missing, or its content is not what its hash says. Make it again.',
  },
  HR_MODEL_UNREADABLE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Model cannot be loaded',
    help: 'The ONNX file is truncated, corrupt, or uses an operator this runtime lacks.',
  },
  HR_MODEL_SIGNATURE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Model does not fit its features',
    help: 'The inputs or outputs of the ONNX file do not agree with the model’s definition; the sentence shows both.',
  },
  HR_MODEL_NOT_READY: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Model not ready',
    help: 'No version of the model is being served yet. Register one and give it traffic.',
  },
  HR_INFERENCE_FAILED: {
    status: 500,
    grpc: 'INTERNAL',
    title: 'Inference failed',
    help: 'The model’s runtime raised an error on valid input; the log has it.',
  },
  HR_NULL_FEATURE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'A feature is null',
    help: 'The model takes no null there and the feature declares no default. Add `.default(…)`.',
  },
  HR_TOO_LARGE: {
    status: 413,
    grpc: 'RESOURCE_EXHAUSTED',
    title: 'Too large',
    help: 'The body or the number of rows is over the limit.',
  },
  HR_UNSUPPORTED_MEDIA: {
    status: 415,
    grpc: 'INVALID_ARGUMENT',
    title: 'Unsupported media type',
    help: 'Send `Content-Type: application/json`.',
  },
  HR_OVERLOADED: {
    status: 429,
    grpc: 'RESOURCE_EXHAUSTED',
    title: 'Too many requests',
    help: 'A queue is full. Retry after the time in `Retry-After`.',
  },
  HR_DEADLINE: {
    status: 504,
    grpc: 'DEADLINE_EXCEEDED',
    title: 'Deadline passed',
    help: 'The request’s deadline (`X-Request-Timeout-Ms`) passed before an answer was ready.',
  },
  HR_STOPPING: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Stopping',
    help: 'The server is draining. Retry elsewhere.',
  },
  HR_IDEMPOTENCY: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Idempotency key reused',
    help: 'The same Idempotency-Key came with another body.',
  },
  HR_PUSH_UNDER_WAY: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Push under way',
    help: 'The first push with this Idempotency-Key is not finished. Send the same again in a moment.',
  },
  HR_PUSH_LOST: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Nobody can tell what became of the push',
    help: 'No answer is kept of the first push with this Idempotency-Key, and its writer was given up (`headrace log forget`). Look whether its rows are there; if not, push them with a new key.',
  },
  HR_STEP_FAILED: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'A step failed',
    help: 'A pipeline’s step failed after its retries. `headrace runs logs ID` shows why; `runs resume ID` goes on.',
  },
  HR_PYTHON_UNAVAILABLE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Python unavailable',
    help: 'Python 3 or a package of a step’s requirements cannot be had here.',
  },
  HR_TYPESCRIPT_UNAVAILABLE: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'TypeScript unavailable',
    help: 'The compiler that checks the types of a feature repository can’t be started here. Install Headrace again, with its optional dependencies.',
  },
  HR_UNSUPPORTED: {
    status: 501,
    grpc: 'UNIMPLEMENTED',
    title: 'Not supported',
    help: 'This build cannot do that yet; the sentence says what can be done instead.',
  },
  HR_INTERNAL: {
    status: 500,
    grpc: 'INTERNAL',
    title: 'Internal error',
    help: 'A bug in Headrace. The log has the details under the request id.',
  },
});

export type ErrorCode = keyof typeof ERRORS;
