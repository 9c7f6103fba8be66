import { json } from 'node:stream/consumers';
import * as v from 'valibot';
import { OperationError } from './errors.ts';
import { request } from './http.ts';

/** The default port of `npm start`. */
export const LOCAL_PORT = 3000;

/** The path at which `npm start` describes its deployment to the operator commands. */
export const DESCRIPTION_PATH = '/deployment';

const DESCRIPTION = v.object({
  webhookUrl: v.string(),
  /** Where the events of the bus are served. */
  eventsUrl: v.string(),
  eventBusName: v.string(),
  /** The receiver's environment variables, with the endpoints of the local AWS services. */
  environment: v.record(v.string(), v.string()),
});
export type Description = v.InferOutput<typeof DESCRIPTION>;

/** Finds out what `npm start` runs. @throws OperationError if it does not run on this port. */
export async function describeLocalDeployment(port: number): Promise<Description> {
  try {
    const response = await request(new URL(DESCRIPTION_PATH, `http://127.0.0.1:${port}`));
    return v.parse(DESCRIPTION, await json(response)); // another program may have the port
  } catch (error) {
    throw new OperationError(`'npm start' does not run on port ${port}: start it, or give its port with --port`, {
      cause: error,
    });
  }
}
