// Which addresses in S3 a request may name as its spine.

import { describe, expect, it } from 'vitest';
import { checkPlace, parseSpinePlaces } from '../../src/serving/http/training-sets/spine-places.ts';

const places = parseSpinePlaces('s3://lake/spines, s3://own/');

describe('the places of spines in S3', () => {
  it.each(['s3://lake/spines/a.parquet', 's3://lake/spines/2024/*.parquet', 's3://own/a.csv'])('hold %s', (address) => {
    expect(() => checkPlace(address, places)).not.toThrow();
  });

  it.each([
    's3://lake/other/a.parquet',
    's3://lake/spines-of-others/a.parquet',
    's3://lake/spines',
    's3://lake/*/a.parquet',
    's3://lake/spine?/a.parquet',
    's3://lake/{spines,secret}/a.parquet',
    's3://lake/spines/../secret/a.parquet',
    's3://lake/spines/./a.parquet',
    's3://Lake/spines/a.parquet',
    's3://ow*/a.csv',
    's3://other/a.csv',
  ])('do not hold %s', (address) => {
    const message = expect.stringMatching(/server\.spinePlaces: s3:\/\/lake\/spines\/, s3:\/\/own\//);
    const refused = expect.objectContaining({ code: 'HR_FORBIDDEN', message }) as Error;
    expect(() => checkPlace(address, places)).toThrow(refused);
  });

  it('are none where nothing is set', () => {
    for (const text of ['', ' , '])
      expect(() => checkPlace('s3://own/a.csv', parseSpinePlaces(text))).toThrow(/: none/);
  });

  it.each(['lake/spines', 's3://', 's3:///x', 'file:///etc', 's3://lake/*', 's3://*/x', 's3://user:pw@lake/x'])(
    'are refused as %s',
    (text) => {
      const refused = expect.objectContaining({ code: 'HR_CONFIG' }) as Error;
      expect(() => parseSpinePlaces(text)).toThrow(refused);
    },
  );
});
