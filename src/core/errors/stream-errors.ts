// Errors of topics that are consumed, and of what their messages need: schemas, dead letters.

import { define } from './catalogue-entry.ts';

export const STREAM_ERRORS = define({
  HR_STREAM_UNAVAILABLE: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Brokers unavailable',
    help: 'The brokers of a topic did not answer for as long as they were waited for (`--patience`). What was pushed before counts; run it again and it goes on from there. Check the address in the source’s variable and that the brokers run.',
  },
  HR_STREAM_REFUSED: {
    status: 403,
    grpc: 'PERMISSION_DENIED',
    title: 'Brokers refuse us',
    help: 'The brokers take the user or password for wrong, or do not let that user read the topic, join the group or write dead letters; or their certificate proves nothing here: it is of an authority that is not known, for other hosts, or too old. Mend the variable that the source names, the rights or the certificate.',
  },
  HR_STREAM_TOPIC: {
    status: 404,
    grpc: 'NOT_FOUND',
    title: 'Topic not found',
    help: 'There is no topic of that name at those brokers. Create it, or mend `topic` or the variable of `brokers`.',
  },
  HR_STREAM_GAP: {
    status: 409,
    grpc: 'FAILED_PRECONDITION',
    title: 'Messages are gone',
    help: 'The topic no longer has the messages that come next: they were deleted before they were read, or the topic was cut back. The sentence names the offsets. `--from earliest` goes on with the first that is there, `--from latest` with those that come from now on.',
  },
  HR_STREAM_SCHEMA: {
    status: 422,
    grpc: 'FAILED_PRECONDITION',
    title: 'Schema cannot be used',
    help: 'The schema’s file is missing or is none, it does not say which message is meant, or the schema registry does not answer or refuses us.',
  },
  HR_DEAD_LETTERS: {
    status: 503,
    grpc: 'UNAVAILABLE',
    title: 'Dead letters cannot be written',
    help: 'A message could not be taken, and neither could it be set aside: the topic or file of dead letters does not take it. Nothing was skipped; mend that and run it again.',
  },
});
