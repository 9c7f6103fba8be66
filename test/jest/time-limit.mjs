import { jest } from '@jest/globals';

/** The limit of a test, longer on a slow machine. */
jest.setTimeout(30_000 * Number(process.env.TEST_TIME_SCALE));
