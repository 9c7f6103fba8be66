import * as v from 'valibot';

/** Path at which the operator commands read what `npm start` runs. The deployment does not have it. */
export const DESCRIPTION_PATH = '/deployment';

/** Answer at this path. */
export const DESCRIPTION = v.object({
  webhookUrl: v.string(),
  eventsUrl: v.string(),
  eventBusName: v.string(),
  /** Environment variables of the receiver, with the addresses of the local services. */
  environment: v.record(v.string(), v.string()),
});
export type Description = v.InferOutput<typeof DESCRIPTION>;
