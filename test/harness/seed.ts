import * as fc from 'fast-check';

/** One seed for every property without one of its own, so that a run can be repeated; another one looks further. */
const DEFAULT_SEED = 20_261_128;

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env['SOTTO_TEST_SEED'] ?? DEFAULT_SEED) });
