import { OK } from './ok.ts';

/** FLOOR: does nothing. What it costs is Node's own start, and no function can cost less. */
export const handler = async () => OK;
