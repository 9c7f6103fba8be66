import { OK } from './ok.ts';

/** FLOOR: does nothing. Its cost is that of Node's start, and no function can cost less. */
export const handler = async () => OK;
