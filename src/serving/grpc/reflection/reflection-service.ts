// grpc.reflection.v1 and v1alpha (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md), which say the same: clients
// such as grpcurl learn the services and their messages from the server.

import type { Method, StreamCall, StreamHandler } from '../transport/method.ts';
import { DELIMITED, malformed, VARINT, WireReader } from '../wire/wire-reader.ts';
import { writeMessage, type WireWriter } from '../wire/wire-writer.ts';
import { type DescriptorFile, readDescriptorFiles } from './descriptor-files.ts';

const REQUEST = { host: 1, filename: 3, symbol: 4, extension: 5, extensionNumbers: 6, list: 7 } as const;
const RESPONSE = { host: 1, request: 2, files: 4, extensionNumbers: 5, services: 6, error: 7 } as const;
const FILES = 1;
const BASE_TYPE = 1;
const SERVICE = 1;
const NAME = 1;
const ERROR = { code: 1, message: 2 } as const;
const NOT_FOUND = 5;
const INVALID_ARGUMENT = 3;

/** `grpc.reflection.v1` was `v1alpha`. */
const VERSIONS = ['v1', 'v1alpha'];

export function reflectionService(): [path: string, method: Method][] {
  let known: Known | undefined;
  const open = (call: StreamCall): StreamHandler => answerEach(call, () => (known ??= index(readDescriptorFiles())));
  return VERSIONS.map((version) => [
    `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
    { kind: 'stream', role: 'known', open },
  ]);
}

interface Known {
  readonly services: readonly string[];
  readonly byName: ReadonlyMap<string, DescriptorFile>;
  readonly bySymbol: ReadonlyMap<string, DescriptorFile>;
}

function index(files: readonly DescriptorFile[]): Known {
  return {
    services: files.flatMap(({ services }) => services).sort(),
    byName: new Map(files.map((file) => [file.name, file])),
    bySymbol: new Map(files.flatMap((file) => file.symbols.map((symbol) => [symbol, file] as const))),
  };
}

function answerEach(call: StreamCall, known: () => Known): StreamHandler {
  return {
    message(message, release) {
      call.permit();
      const told = writeMessage((out) => answer(out, message, known()));
      release();
      return call.send(told);
    },
    ended: () => undefined,
    stopping: () => undefined,
    closed() {},
  };
}

function answer(out: WireWriter, message: Buffer, known: Known): void {
  const reader = new WireReader(message);
  const asked = { host: '', field: 0, text: '' };
  while (reader.next()) {
    if (reader.wire !== DELIMITED) reader.skip();
    else if (reader.field === REQUEST.host) asked.host = reader.text();
    else if (reader.field === REQUEST.extension) {
      asked.field = reader.field;
      asked.text = readExtension(reader.view());
    } else if (reader.field >= REQUEST.filename && reader.field <= REQUEST.list) {
      asked.field = reader.field;
      asked.text = reader.text();
    } else reader.skip();
  }
  out.text(RESPONSE.host, asked.host);
  out.bytes(RESPONSE.request, message);
  const fail = (code: number, what: string): void => {
    const error = out.begin(RESPONSE.error);
    out.int(ERROR.code, code);
    out.text(ERROR.message, what);
    out.end(error);
  };
  const told = (file: DescriptorFile | undefined): void => {
    if (file === undefined) return fail(NOT_FOUND, `there is no ${asked.text.slice(0, 200)}`);
    const files = out.begin(RESPONSE.files);
    for (const one of withDependencies(file, known)) out.bytes(FILES, one.bytes);
    out.end(files);
  };
  switch (asked.field) {
    case REQUEST.list: {
      const services = out.begin(RESPONSE.services);
      for (const service of known.services) {
        const one = out.begin(SERVICE);
        out.text(NAME, service);
        out.end(one);
      }
      return out.end(services);
    }
    case REQUEST.filename:
      return told(known.byName.get(asked.text));
    case REQUEST.symbol:
      return told(symbolFile(asked.text, known));
    // None of ours is extended.
    case REQUEST.extension:
      return fail(NOT_FOUND, `${asked.text.slice(0, 200)} has no extensions`);
    case REQUEST.extensionNumbers: {
      if (!known.bySymbol.has(asked.text)) return fail(NOT_FOUND, `there is no ${asked.text.slice(0, 200)}`);
      const numbers = out.begin(RESPONSE.extensionNumbers);
      out.text(BASE_TYPE, asked.text);
      return out.end(numbers);
    }
    default:
      return fail(INVALID_ARGUMENT, 'the request asks nothing');
  }
}

/** A field, too, is asked for by its message's name and its own. */
function symbolFile(symbol: string, { bySymbol }: Known): DescriptorFile | undefined {
  return bySymbol.get(symbol) ?? bySymbol.get(symbol.slice(0, Math.max(0, symbol.lastIndexOf('.'))));
}

function withDependencies(file: DescriptorFile, { byName }: Known): Set<DescriptorFile> {
  const files = new Set([file]);
  for (const one of files)
    for (const name of one.dependencies) {
      const needed = byName.get(name);
      if (needed !== undefined) files.add(needed);
    }
  return files;
}

function readExtension(bytes: Buffer): string {
  const reader = new WireReader(bytes);
  let type = '';
  while (reader.next()) {
    if (reader.is(1, DELIMITED)) type = reader.text();
    else if (reader.is(2, VARINT)) reader.int32();
    else reader.skip();
  }
  if (type === '') throw malformed('an extension names no type');
  return type;
}
