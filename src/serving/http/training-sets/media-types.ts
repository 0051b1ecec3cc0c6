// Forms of a set's rows on the wire.

export { ARROW_TYPE as ARROW } from '../arrow-form.ts';
export const PARQUET = 'application/vnd.apache.parquet';
