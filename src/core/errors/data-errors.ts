// Errors of sources, runs, stores and logs.

import { define } from './catalogue-entry.ts';

export const DATA_ERRORS = define({
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
  HR_QUERY: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Query of a source cannot be used',
    help: 'The SQL of a query source is no single SELECT over the sources that it declares, lacks a declared column, or calls what differs each time, such as now() or random().',
  },
  HR_QUERY_LEAKS: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Query of a source leaks',
    help: 'Over what was known by a time, the query gives other rows than it says were known by then. Join as of the event, state the latest known time of all rows that a row is made of, or declare a table static.',
  },
  HR_SOURCE_UNAVAILABLE: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Source unavailable',
    help: 'The database of a source can’t be reached, ends the connection, or says nothing. A lost connection was tried again some times, each from the start; nothing of the run is kept.',
  },
  HR_EXPECTATION: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Data are not as expected',
    help: "Rows or values break a rule of `expect` with `onFail: 'fail'`; the sentence names the rule, the details what came and what was expected. Nothing of it was taken or written. Correct the data, or loosen the rule.",
  },
  HR_QUARANTINE_FULL: {
    status: 507,
    grpc: 'RESOURCE_EXHAUSTED',
    title: 'Quarantine full',
    help: 'Rows that are set apart have no more room (`quarantine.maxSize`); nothing of the push was kept. `headrace quarantine list` shows what is there: put rows back or drop them, or loosen the rule.',
  },
  HR_SPINE: {
    status: 400,
    grpc: 'INVALID_ARGUMENT',
    title: 'Bad spine or input',
    help: 'The spine of a training set, or the input of a batch prediction, lacks a column that the service needs, holds one under a reserved or colliding name, or a value that its column can’t have.',
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
  HR_OTHER_REGISTRY: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Online store of another registry',
    help: 'The online store was filled by another registry, whose numbers of writers and runs mean other pushes and runs than this one’s. Set `online.url` to this registry’s own store, or to an empty one. Where the other registry is gone for good, `headrace online adopt` takes its store over.',
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
    help: 'The registry’s database, the object store, or the brokers of the event log do not answer, or refuse us. Check the address and that it runs.',
  },
  HR_LOG_DAMAGED: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Event log damaged',
    help: 'A file of the event log is not what its checksums say, or its topic has not what it should: the sentence names file and byte, or partition and offset. Nothing is skipped: restore it, or give it up with `headrace log forget`.',
  },
  HR_LOG_COPIED: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Event log copied',
    help: 'A disk with a folder of the event log was copied, and another copy was settled without the last entries of this one. The folder is set aside with all that is in it: `headrace log entries FOLDER` prints those entries, to be pushed again where they are needed.',
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
});
