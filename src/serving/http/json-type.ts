/** Of answers whose text we write ourselves: what Fastify says of those that it writes. */
export const JSON_TYPE = 'application/json; charset=utf-8';
