import * as v from 'valibot';

/** Where the commands for operators find out what runs here, on this machine only. */
export const DESCRIPTION_PATH = '/deployment';

/** What they must know of it. */
export const DESCRIPTION = v.object({
  webhookUrl: v.string(),
  eventsUrl: v.string(),
  eventBusName: v.string(),
  /** The receiver's, with where it finds AWS. */
  environment: v.record(v.string(), v.string()),
});
export type Description = v.InferOutput<typeof DESCRIPTION>;
