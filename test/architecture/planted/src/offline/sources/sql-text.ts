export type Sql = string;
