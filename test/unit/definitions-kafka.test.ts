// What a Kafka source compiles to, and what is refused in one.

import { describe, expect, it } from 'vitest';
import { isLogAlone, viewVersion } from '../../src/definitions/index.ts';
import { count, entity, featureView, kafka, pushed, t } from '../../src/index.ts';
import { compile, loose, mistakesOf } from '../support/written-definitions.ts';

const columns = { id: t.string(), at: t.timestamp() };
const shared = { columns, eventTime: 'at' } as const;
const where = { brokers: 'env:K_BROKERS', topic: 'orders' } as const;
const of = (more: object): unknown => loose['kafka']('src', { ...shared, ...where, format: 'json', ...more });
const manifestOf = (source: ReturnType<typeof pushed<typeof columns>>) =>
  compile({
    source,
    user: featureView('v', {
      entity: entity('user', { keys: { id: t.string() } }),
      source,
      features: { n: count().over('1d') },
    }),
  }).manifest;

it('says where its messages are, and that the log is all there is', () => {
  const manifest = manifestOf(
    kafka('src', { ...shared, ...where, format: 'avro', schema: 'orders.avsc', deadLetter: 'file:d.jsonl' }),
  );
  const spec = manifest.sources['src'];
  expect(spec).toMatchObject({
    kind: 'kafka',
    pushes: 'keep',
    location: {
      brokers: 'env:K_BROKERS',
      topic: 'orders',
      format: 'avro',
      schema: 'orders.avsc',
      deadLetter: 'file:d.jsonl',
    },
  });
  expect(spec !== undefined && isLogAlone(spec)).toBe(true);
});

it('has the facts of a pushed source of its name: what was stored stays', () => {
  const before = manifestOf(pushed('src', shared));
  const after = manifestOf(kafka('src', { ...shared, ...where, format: 'json' }));
  expect(viewVersion(after, 'v')).toBe(viewVersion(before, 'v'));
});

describe('a mistake is told', () => {
  it.each<[string, object, RegExp]>([
    ['no brokers', { brokers: undefined }, /it needs `brokers`.*'env:NAME'/],
    ['no topic', { topic: undefined }, /it needs `topic`/],
    ['a topic that is none', { topic: 'two words' }, /topic "two words" is no topic's name: up to 249 letters/],
    ['a topic that is a folder', { topic: '..' }, /topic ".." is no topic's name/],
    ['no format', { format: undefined }, /format must be 'json', 'avro' or 'protobuf', got nothing/],
    ['another format', { format: 'xml' }, /format must be 'json', 'avro' or 'protobuf', got "xml"/],
    ['Avro without a schema', { format: 'avro' }, /it needs either `schema`, the schema's file, or `registry`/],
    [
      'two schemas',
      { format: 'avro', schema: 'a.avsc', registry: 'env:R' },
      /either `schema`.* or `registry`.*, one of them/,
    ],
    ['a schema of JSON', { schema: 'a.avsc' }, /`schema` is for Avro and Protobuf/],
    [
      'a message of Avro',
      { format: 'avro', schema: 'a.avsc', message: 'M' },
      /`message` names a message of a Protobuf/,
    ],
    ['its own dead letters', { deadLetter: 'orders' }, /`deadLetter` must be another topic than its own/],
    ['dead letters nowhere', { deadLetter: 'file:' }, /deadLetter "file:" must be a topic or file:PATH/],
    ['a unit of time', { timeUnit: 'ns' }, /timeUnit must be 's', 'ms' or 'us', got "ns"/],
  ])('%s', (_name, more, sentence) => {
    expect(mistakesOf({ s: of(more) }).join('\n')).toMatch(sentence);
  });

  it.each(['brokers', 'registry'])('a URL in `%s`, of which nothing is shown', (member) => {
    const told = mistakesOf({
      s: of({ format: 'avro', registry: 'env:R', [member]: 'kafka://ann:hunter2@h:9092' }),
    }).join('\n');
    expect(told).toMatch(new RegExp(`\`${member}\` must name an environment variable .*${member}: 'env:SRC_`));
    expect(told).not.toMatch(/hunter2|ann/);
  });
});
