// Who is woken by what: workers by slices that wait or are cancelled, drivers by how tasks ended.

export const SLICES_CHANNEL = 'headrace_fleet_slices';
export const ENDS_CHANNEL = 'headrace_fleet_ends';
