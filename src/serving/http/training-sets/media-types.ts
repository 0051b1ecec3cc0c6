// Forms of rows on the wire.

export const PARQUET = 'application/vnd.apache.parquet';
export const ARROW = 'application/vnd.apache.arrow.stream';
