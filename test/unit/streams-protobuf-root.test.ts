// What a Protobuf schema imports: Google's own files are known, however they are reached; others are asked for.

import { expect, it } from 'vitest';
import { createProtobufRoot } from '../../src/streams/decode/protobuf-root.ts';

const importing = (...names: readonly string[]): string =>
  `syntax = "proto3";\n${names.map((name) => `import "${name}";`).join('\n')}\nmessage M { int32 a = 1; }`;

it('knows Google’s files by the end of their path, though the path names that folder twice', () => {
  const { root, add } = createProtobufRoot();
  expect(add(importing('vendor/google/protobuf/src/google/protobuf/any.proto'))).toEqual([]);
  expect(root.lookupType('google.protobuf.Any').fields).toHaveProperty('type_url');
});

it('asks for files of others, once for each that imports them, and takes Google’s once', () => {
  const { add } = createProtobufRoot();
  expect(add(importing('shop/order.proto', 'google/protobuf/timestamp.proto'))).toEqual(['shop/order.proto']);
  expect(add('syntax = "proto3";\nimport weak "google/protobuf/timestamp.proto";\nmessage N { int32 a = 1; }')).toEqual(
    [],
  );
  expect(add('syntax = "proto3";\nimport "google/protobuf/no_such.proto";')).toEqual(['google/protobuf/no_such.proto']);
});
