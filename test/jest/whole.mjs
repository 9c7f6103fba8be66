import { SHARED, WHOLE_TESTS } from './shared.mjs';

/** Tests that start servers and programs, or synthesize the stack. */
export default {
  ...SHARED,
  displayName: 'whole',
  testMatch: WHOLE_TESTS,
  globalSetup: '<rootDir>/test/jest/set-up-whole.mjs',
  setupFilesAfterEnv: ['<rootDir>/test/jest/each-file.mjs'],
};
