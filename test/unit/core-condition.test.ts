// Conditions by GrowthBook's published cases (`evalCondition` and `versionCompare` in packages/sdk-js/test/cases.json, spec
// version 0.5.4), and what is said of those that are none. The SDK itself is asked in test/property/flags.test.ts.

import { describe, expect, it } from 'vitest';
import {
  compileCondition,
  type Condition,
  conditionAttributes,
  conditionMistakes,
  readPath,
} from '../../src/core/index.ts';

const holds = (condition: Condition, attributes: object): boolean =>
  compileCondition(condition, (path) => {
    const parts = path.split('.');
    return (from: object) => readPath(from, parts);
  })(attributes);

const santa = { $and: [{ 'father.age': { $gt: 65 } }, { $or: [{ bday: { $regex: '-12-25$' } }, { name: 'santa' }] }] };

describe('a condition', () => {
  it.each<[Condition, object, boolean]>([
    [{}, { hello: 'world' }, true],
    [{ $not: { name: 'hello' } }, { name: 'world' }, true],
    [{ $not: { name: 'hello' } }, { name: 'hello' }, false],
    [santa, { name: 'santa', bday: '1980-12-20', father: { age: 70 } }, true],
    [santa, { name: 'barbara', bday: '1980-12-25', father: { age: 70 } }, true],
    [santa, { name: 'santa', bday: '1980-12-25', father: { age: 65 } }, false],
    [santa, { name: 'barbara', bday: '1980-11-25', father: { age: 70 } }, false],
    [{ 'pets.dog.name': { $exists: false } }, { hello: 'world' }, true],
    [{ 'pets.dog.name': { $exists: true } }, { pets: { dog: { name: 'fido' } } }, true],
    [{ str: 'str', num: 10, flag: false }, { str: 'str', num: 10, flag: false }, true],
    [{ num: { $in: [1, 2, 3] } }, { num: 2 }, true],
    [{ num: { $in: 1 } }, { num: 1 }, false],
    [{ tags: { $in: ['a', 'b'] } }, { tags: ['d', 'e', 'a'] }, true],
    [{ tags: { $in: ['a', 'b'] } }, { tags: [] }, false],
    [{ num: { $nin: 1 } }, { num: 1 }, false],
    [{ tags: { $nin: ['a', 'b'] } }, { tags: ['d', 'b', 'f'] }, false],
    [{ tags: { $nin: ['a', 'b'] } }, { tags: [] }, true],
    [{ age: { $gt: -10, $lt: 10, $gte: -9, $lte: 9, $ne: 10 } }, {}, true],
    [{ n: { $gt: 5, $lt: 10 } }, { n: '8' }, true],
    [{ n: { $gt: '5', $lt: '10' } }, { n: 8 }, true],
    [{ $or: [] }, { hello: 'world' }, true],
    [{ $and: [] }, { hello: 'world' }, true],
    [{ word: { $gt: 'alphabet', $lt: 'zebra' } }, { word: 'always' }, true],
    [{ word: { $gt: 'alphabet', $lt: 'zebra' } }, { word: 'AZL' }, false],
    [{ 'address.state': 'CA' }, { address: null }, false],
    [{ 'address.state': 'CA' }, { address: 123 }, false],
    [{ a: { $type: 'object' } }, { a: { a: 'b' } }, true],
    [{ a: { $type: 'array' } }, { a: [1, 2] }, true],
    [{ a: { $type: 'null' } }, { a: null }, true],
    [{ name: { $regx: 'hello' } }, { name: 'hello' }, false],
    [{ name: { $regex: '/???***[)' } }, { name: 'hello' }, false],
    [{ tags: { $size: { $gt: 2 } } }, { tags: [0, 1, 2] }, true],
    [{ tags: { $size: 3 } }, { tags: 'abc' }, false],
    [
      { hobbies: { $elemMatch: { name: { $regex: '^ping' } } } },
      { hobbies: [{ name: 'bowling' }, { name: 'pingpong' }] },
      true,
    ],
    [{ hobbies: { $elemMatch: { name: { $regex: '^ping' } } } }, { hobbies: 'all' }, false],
    [{ tags: { $not: { $elemMatch: { $eq: 'bar' } } } }, { tags: ['foo', 'bar', 'baz'] }, false],
    [{ tags: { $all: ['one', 'three'] } }, { tags: ['one', 'two', 'three'] }, true],
    [{ tags: { $all: ['one', 'three'] } }, { tags: 'hello' }, false],
    [{ $nor: [{ name: 'john' }, { age: { $lt: 30 } }] }, { name: 'jim', age: 40 }, true],
    [{ $nor: [{ name: 'john' }, { age: { $lt: 30 } }] }, { name: 'jim', age: 20 }, false],
    [{ tags: ['hello', 'world'] }, { tags: ['hello', 'world'] }, true],
    [{ tags: ['hello', 'world'] }, { tags: ['world', 'hello'] }, false],
    [{ tags: { hello: 'world' } }, { tags: { hello: 'world', yes: 'please' } }, false],
    [{ userId: null }, {}, true],
    [{ userId: null }, { userId: '' }, false],
    [{ v: { $vgt: '9.99.8', $vlt: '11.0.1' } }, { v: '10.12.13' }, true],
    [{ v: { $vgte: '5.10.30', $vlte: '5.10.60' } }, { v: '5.10.30' }, true],
    [{ v: { $vgt: '1.0.0-alpha', $vlt: '1.0.0-beta' } }, { v: '1.0.0-alpha.10' }, true],
    [{ v: { $vgt: '1.0.0-alpha', $vlt: '1.0.0-beta' } }, { v: '1.0.0-ALPHA' }, false],
    [{ v: { $veq: '1.2.3' } }, { v: '1.2.3+build.abc.123' }, true],
    [{ v: { $vne: '1.2.3' } }, { v: '1.2.3-alpha' }, true],
  ])('%j of %j is %s', (condition, attributes, expected) => {
    expect(holds(condition, attributes)).toBe(expected);
  });

  it.each([
    ['0.9.0', '0.10.0'],
    ['1.0.0-alpha', '1.0.0-alpha.1'],
    ['1.0.0-beta.2', '1.0.0-beta.11'],
    ['1.0.0-rc.1', '1.0.0'],
    ['v0.0.0-foo', '0.0.0'],
    ['1.2.3-r100', '1.2.3-r2'],
    ['9999.0.0', '10000.0.0'],
  ])('takes version %s for lower than %s', (low, high) => {
    expect(holds({ v: { $vlt: high } }, { v: low })).toBe(true);
    expect(holds({ v: { $vgt: low } }, { v: high })).toBe(true);
    expect(holds({ v: { $veq: low } }, { v: high })).toBe(false);
  });
});

describe('what is no condition', () => {
  it('is told with where, and what to do', () => {
    const wrong = {
      $and: { a: 1 },
      age: { $gt: true, $lte: 5, plain: 1 },
      tags: { $in: 'a', $elemMatch: { $sise: 1 } },
      name: { $regex: '(', $type: 'text', $exists: 1 },
      $nott: 1,
      gone: 7,
    };
    expect(conditionMistakes(wrong, (name) => (name === 'gone' ? 'no column' : undefined))).toEqual([
      '$and: expected an array of conditions, got an object',
      'age: operators and other members do not go together',
      'tags.$in: expected an array, got string "a"',
      'tags.$elemMatch.$sise: there is no operator "$sise". Did you mean "$size"?',
      'name.$regex: expected a regular expression, got string "("',
      'name.$type: expected one of string, number, boolean, array, object, null, undefined, got string "text"',
      'name.$exists: expected true or false, got number 1',
      '$nott: there is no operator "$nott". Did you mean "$not"?',
      'gone: no column',
    ]);
  });

  it('may be nested without end, and is told once', () => {
    let deep: object = { a: 1 };
    for (let level = 0; level < 10_000; level++) deep = { $not: deep };
    expect(conditionMistakes(deep, () => undefined)).toEqual(['it is more than 20 levels deep']);
  });

  it('names its attributes, those within lists left out', () => {
    const condition = { 'a.b': 1, $or: [{ c: { $elemMatch: { d: 1 } } }, { $not: { e: null } }] };
    expect(conditionAttributes(condition)).toEqual(['a', 'c', 'e']);
  });
});
