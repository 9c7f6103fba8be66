/** Public prices, us-east-1, USD, without free tiers and discounts for volume. */
const PRICES = {
  httpApiMillion: 1,
  lambdaMillion: 0.2,
  lambdaArmGbSecond: 0.0000133334,
  dynamoDbWriteMillion: 0.625, // on demand, up to 1 kB
  logsGb: 0.5,
  tracesMillion: 5,
  secretMonth: 0.4,
  alarmMetricMonth: 0.1, // AWS counts an alarm once for each metric that it watches
  metricMonth: 0.3,
  dashboardMonth: 3,
  eventMillion: 1,
};

/** What is paid by the month: the metrics that the stack's alarms watch, and those that a well deployment makes. */
export const ALARM_METRICS = 18;
const METRICS = 6;
const USD_A_MONTH =
  PRICES.secretMonth + ALARM_METRICS * PRICES.alarmMetricMonth + METRICS * PRICES.metricMonth + PRICES.dashboardMonth;

/** EventBridge takes some milliseconds for an event that comes alone; of many, ten share a call. An assumption. */
const PUBLISH_MS = 15;

/** The bench's endpoint answers at once; DynamoDB takes some milliseconds, which are billed. An assumption. */
export const DYNAMODB_MS = 5;
/** Of the function's two lines, Lambda's own three and API Gateway's, with what CloudWatch adds. An assumption. */
export const LOG_BYTES = 1_800;
const SECONDS_A_MONTH = (365.25 / 12) * 86_400;

/** Lambda bills whole milliseconds. */
export function billedMs(measuredMs: number): number {
  return Math.ceil(measuredMs + DYNAMODB_MS);
}

export function lambdaUsdPerMillion(billed: number, memoryMb: number): number {
  return PRICES.lambdaMillion + billed * 1_000 * (memoryMb / 1_024) * PRICES.lambdaArmGbSecond;
}

/** X-Ray traces one request a second and one in twenty of the rest. */
function tracedPart(perSecond: number): number {
  return (1 + (Math.max(perSecond, 1) - 1) * 0.05) / Math.max(perSecond, 1);
}

/** What a million deliveries cost in USD, part by part, where that many come each second. */
export function usdPerMillion(billed: number, memoryMb: number, perSecond: number): Record<string, number> {
  return {
    'API Gateway (HTTP API)': PRICES.httpApiMillion,
    'Lambda, requests and time': lambdaUsdPerMillion(billed, memoryMb),
    'DynamoDB, one write on demand': PRICES.dynamoDbWriteMillion,
    'CloudWatch Logs': (LOG_BYTES * 1e6 * PRICES.logsGb) / 1e9,
    'X-Ray, sampled': PRICES.tracesMillion * tracedPart(perSecond),
    'Event, function that publishes it': PRICES.eventMillion + lambdaUsdPerMillion(PUBLISH_MS, memoryMb),
    'Secret, alarms, metrics, dashboard': (USD_A_MONTH / (perSecond * SECONDS_A_MONTH)) * 1e6,
  };
}

export function usdPerMonth(perMillion: number, perSecond: number): number {
  return (perMillion * perSecond * SECONDS_A_MONTH) / 1e6;
}
