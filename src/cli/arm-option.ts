// `--arm` of what monitors found.

export const ARM_OPTION = [
  '--arm <arm>',
  'only of this one, a variant or experiment/arm, also where it serves no more; when left out, those that serve now or did in the time that is shown',
] as const;
