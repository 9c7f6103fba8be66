// Not derived from lambda/outcomes.ts: the types of the npm package cannot refer to lambda/. A test compares both.

/** Outcomes of a delivery, as in the log and the metrics. */
export type DeliveryOutcome = 'stored' | 'stale' | 'ignored' | 'forwarded' | 'parked' | 'rejected' | 'failed';
/** Reasons for which the receiver answers with a FAIL, as in the log and the metrics. */
export type RejectionReason =
  'wrongApp' | 'badSignature' | 'expired' | 'wrongAddress' | 'badBody' | 'commandsDisagree' | 'badPayload' | 'notKept';
