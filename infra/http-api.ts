import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import {
  ApiMapping,
  DomainName,
  HttpApi,
  HttpMethod,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { acceptDependencies, acknowledge } from './findings.ts';
import type { Settings } from './settings.ts';

const ROUTE = '/webhook';

/**
 * Format of the access log. It leaves out the query string, because it contains Sign, and texts that the caller chooses
 * (path, user agent), because API Gateway does not escape quotes in them.
 */
const ACCESS_LOG = AccessLogFormat.custom(
  JSON.stringify({
    requestId: '$context.requestId',
    requestTime: '$context.requestTime',
    sourceIp: '$context.identity.sourceIp',
    httpMethod: '$context.httpMethod',
    routeKey: '$context.routeKey',
    protocol: '$context.protocol',
    status: '$context.status',
    responseLength: '$context.responseLength',
    responseLatency: '$context.responseLatency',
    integrationStatus: '$context.integration.status',
    integrationLatency: '$context.integration.latency',
    integrationRequestId: '$context.integration.requestId',
    integrationError: '$context.integration.error',
    error: '$context.error.message',
  }),
);

export interface WebhookApi {
  api: HttpApi;
  /** The URL for the Chat console. */
  url: string;
  /** The webhook's own domain, if it has one. */
  domain: DomainName | undefined;
}

export interface HttpApiProps {
  settings: Pick<Settings, 'domainName' | 'certificateArn' | 'maxRequestsPerSecond'>;
  /** The function or alias that gets every request. */
  handler: IFunction;
  log: LogGroup;
}

/** Creates the API with its only route, and the domain if there is one. */
export function httpApi(scope: Construct, { settings, handler, log }: HttpApiProps): WebhookApi {
  const { domainName, certificateArn, maxRequestsPerSecond } = settings;
  const domain =
    domainName === undefined || certificateArn === undefined
      ? undefined
      : new DomainName(scope, 'Domain', {
          domainName,
          certificate: Certificate.fromCertificateArn(scope, 'Certificate', certificateArn),
        });
  const api = new HttpApi(scope, 'Api', {
    createDefaultStage: false,
    disableExecuteApiEndpoint: domain !== undefined, // with a domain, the default address would be a second way in
    description: "Takes Chat's webhook deliveries",
  });
  const [route] = api.addRoutes({
    path: ROUTE,
    methods: [HttpMethod.POST],
    integration: new HttpLambdaIntegration('ReceiverIntegration', handler),
  });
  if (route !== undefined)
    acknowledge(
      route,
      'AwsSolutions::AwsSolutions-APIG4',
      'Chat signs its deliveries; the function checks the signature',
    );
  // The stage $default does not appear in the URL. Chat rejects URLs that contain a $.
  const stage = new HttpStage(scope, 'ApiStage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    throttle: { rateLimit: maxRequestsPerSecond, burstLimit: 2 * maxRequestsPerSecond },
    accessLogSettings: { destination: new LogGroupLogDestination(log), format: ACCESS_LOG },
  });
  if (domain !== undefined) mapDomain(domain, api, stage);
  acceptDependencies(stage);
  // api.apiEndpoint throws if the default address is disabled.
  const address = domainName === undefined ? api.apiEndpoint : `https://${domainName}`;
  return { api, url: `${address}${ROUTE}`, domain };
}

/**
 * Maps the domain to the stage.
 *
 * CDK's `domainMapping` forms the mapping's ID from the domain's path and the mapping key, which is undefined. Deployed
 * stacks have this ID. With another one, CloudFormation would map the domain a second time before it deletes the old
 * mapping.
 */
function mapDomain(domain: DomainName, api: HttpApi, stage: HttpStage): void {
  const path = domain.node.scopes.map(({ node }) => node.id).filter((id) => id !== '' && id !== 'Default');
  new ApiMapping(stage, `${path.join('--')}undefined`, { api, stage, domainName: domain });
  stage.node.addDependency(domain);
}
