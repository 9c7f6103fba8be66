import type { Logger } from '@aws-lambda-powertools/logger';
import type { Metrics } from '@aws-lambda-powertools/metrics';
import type { MiddlewareObj, Request } from '@middy/core';
import { callbackCommand, field, type Delivery } from './delivery.ts';
import type { Kept } from './keep.ts';
import { countDelivery } from './metrics.ts';
import { Refusal } from './reply.ts';

/** Strangers choose these values before a signature is checked: they shall not fill the log. */
const MAX_LOGGED_CHARACTERS = 128;

/**
 * One line a delivery: which, and what became of it; and one in CloudWatch's embedded metric format, which counts it.
 * Never the query string (it carries Sign), the token or the whole body.
 */
export function deliveryLog(logger: Logger, metrics: Metrics): MiddlewareObj<Delivery, unknown> {
  const startTimes = new WeakMap<Delivery, number>();
  const describe = ({ event }: Request<Delivery, unknown>) => ({
    requestId: event.requestContext.requestId,
    command: cut(callbackCommand(event)),
    officialAccountId: cut(field(event.body, 'Official_Account')),
    name: cut(field(event.body, 'Name')),
    ownerAccount: cut(field(event.body, 'Owner_Account')),
    eventAgeMs: event.eventAgeMs,
    storeMs: event.storeMs,
    ms: Math.round(performance.now() - (startTimes.get(event) ?? Number.NaN)),
  });
  return {
    before: ({ event }) => {
      startTimes.set(event, performance.now());
    },
    after: (request) => {
      const kept = request.response as Kept;
      if (kept.outcome === 'parked') logger.warn('delivery', { ...describe(request), ...kept });
      else logger.info('delivery', { ...describe(request), ...kept });
      const { eventAgeMs, storeMs } = request.event;
      countDelivery(metrics, { outcome: kept.outcome, eventAgeMs, storeMs });
    },
    onError: (request) => {
      const { error } = request;
      if (error instanceof Refusal) {
        const { reason, field: refusedField, detail, isQuarantined } = error;
        const refused = { outcome: 'refused', reason, field: refusedField, detail, isQuarantined };
        logger.warn('delivery', { ...describe(request), ...refused });
        countDelivery(metrics, { outcome: 'refused', reason });
      } else {
        logger.error('delivery', { ...describe(request), outcome: 'failed', reason: 'notKept', error });
        countDelivery(metrics, { outcome: 'failed' });
      }
    },
  };
}

function cut(value: unknown): string | undefined {
  return typeof value === 'string' ? value.slice(0, MAX_LOGGED_CHARACTERS) : undefined;
}
