import { afterAll, jest } from '@jest/globals';
import { endPrograms } from '../program.ts';
import { slowed } from '../time.ts';

/** Timeout of a test, longer on a slow machine. */
jest.setTimeout(slowed(30_000));

afterAll(endPrograms);
