// Planted: a folder that is fine.
export const offline = 1;
