/**
 * So many files of tests with real programs run at the same time, each against a control plane of its own: most of
 * such a test is waiting, and what one file does to an API server (kinds, admission, its audit log) no other sees.
 */
export const SIDE_BY_SIDE = 2;
