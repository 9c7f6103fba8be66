/** Where the commands for operators find out what runs here, on this machine only. */
export const DESCRIPTION_PATH = '/deployment';

/** What they must know of it. */
export interface Description {
  webhookUrl: string;
  eventsUrl: string;
  /** The receiver's, with where it finds AWS. */
  environment: Record<string, string>;
}
