// How a call ends: gRPC's status by the error catalogue, its sentence, and google.rpc.Status with ErrorInfo, BadRequest and RetryInfo
// (https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto).

import type { OutgoingHttpHeaders } from 'node:http2';
import { type Actor, ERRORS, type GrpcStatus, type HeadraceError } from '../../../core/index.ts';
import { isRetryable, toProblem } from '../../http/problem.ts';
import { PREFIX_BYTES, writeMessage } from '../wire/wire-writer.ts';

/** https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const CODES: Readonly<Record<GrpcStatus, number>> = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
};

export function statusOf({ code }: HeadraceError): { readonly name: GrpcStatus; readonly code: number } {
  const name = ERRORS[code].grpc;
  return { name, code: CODES[name] };
}

export const OK = { 'grpc-status': '0' } as const;

/**
 * Bytes of UTF-8. Clients refuse trailers past 8 KiB: the message is in them twice, with three bytes for one where it is escaped and
 * four for three in the details.
 */
const LONGEST_MESSAGE = 1000;
const LONGEST_VIOLATION = 300;
const LONGEST_VIOLATIONS = 1800;
const MOST_VIOLATIONS = 8;

/** What the client is told of an error, in the trailers. `actor` is left out where it is not known who asks. */
export function errorTrailers(
  error: HeadraceError,
  requestId: string,
  actor: Pick<Actor, 'isLocal'> | undefined,
): OutgoingHttpHeaders {
  const problem = toProblem(error, { requestId, actor });
  const status = statusOf(error);
  const message = cut(ofCall(problem.detail), LONGEST_MESSAGE);
  return {
    'grpc-status': String(status.code),
    'grpc-message': percentEncoded(message),
    'headrace-code': problem.code,
    'grpc-status-details-bin': statusDetails(status.code, message, problem, requestId).toString('base64'),
  };
}

/** A sentence by gRPC's words, where it names a header of HTTP. */
export function ofCall(sentence: string): string {
  return sentence.replaceAll('X-Request-Timeout-Ms', 'the deadline of the call');
}

/** As `%E2%82%AC`: what is no printable ASCII, and the sign itself. */
export function percentEncoded(text: string): string {
  if (PLAIN.test(text)) return text;
  let encoded = '';
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}

const PLAIN = /^[\x20-\x24\x26-\x7e]*$/;

/** To so many bytes of UTF-8, at the end of a character. */
function cut(text: string, longest: number): string {
  if (text.length * 3 <= longest) return text;
  const bytes = Buffer.from(text);
  if (bytes.length <= longest) return text;
  let end = longest;
  while (((bytes[end] as number) & 0xc0) === 0x80) end--;
  return `${bytes.toString('utf8', 0, end)}…`;
}

const STATUS = { code: 1, message: 2, details: 3 } as const;
const ANY = { url: 1, value: 2 } as const;
const INFO = { reason: 1, domain: 2, metadata: 3 } as const;
const ENTRY = { key: 1, value: 2 } as const;
const BAD_REQUEST = { violations: 1 } as const;
const VIOLATION = { field: 1, description: 2 } as const;
const RETRY = { delay: 1 } as const;
const SECONDS = 1;

const TYPE = 'type.googleapis.com/google.rpc.';

function statusDetails(
  code: number,
  message: string,
  problem: ReturnType<typeof toProblem>,
  requestId: string,
): Buffer {
  const whole = writeMessage((out) => {
    const detail = (name: string, write: () => void): void => {
      const any = out.begin(STATUS.details);
      out.text(ANY.url, `${TYPE}${name}`);
      const value = out.begin(ANY.value);
      write();
      out.end(value);
      out.end(any);
    };
    out.int(STATUS.code, code);
    out.text(STATUS.message, message);
    detail('ErrorInfo', () => {
      out.text(INFO.reason, problem.code);
      out.text(INFO.domain, 'headrace');
      const entry = out.begin(INFO.metadata);
      out.text(ENTRY.key, 'request_id');
      out.text(ENTRY.value, requestId);
      out.end(entry);
    });
    if (problem.errors.length > 0) {
      detail('BadRequest', () => {
        const from = out.length;
        for (const { path, message } of problem.errors.slice(0, MOST_VIOLATIONS)) {
          if (out.length - from > LONGEST_VIOLATIONS - 2 * LONGEST_VIOLATION) break;
          const violation = out.begin(BAD_REQUEST.violations);
          out.text(VIOLATION.field, cut(path, LONGEST_VIOLATION));
          out.text(VIOLATION.description, cut(message, LONGEST_VIOLATION));
          out.end(violation);
        }
      });
    }
    if (isRetryable(problem.status)) {
      detail('RetryInfo', () => {
        const delay = out.begin(RETRY.delay);
        out.int(SECONDS, 1);
        out.end(delay);
      });
    }
  });
  return whole.subarray(PREFIX_BYTES);
}
