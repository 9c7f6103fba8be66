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
 * Named fields only, and of these none that the caller words: the query string carries Sign, and a quote
 * in a path or a user agent would break the line.
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
  /** The address that Chat posts to. */
  url: string;
  /** The webhook's own domain, if it has one. */
  domain: DomainName | undefined;
}

export interface HttpApiProps {
  settings: Pick<Settings, 'domainName' | 'certificateArn' | 'maxRequestsPerSecond'>;
  /** Gets every request. */
  handler: IFunction;
  log: LogGroup;
}

/** Creates the API with its one route, and its domain. */
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
    disableExecuteApiEndpoint: domain !== undefined, // a second address would be one more to guard
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
  // The stage named $default adds nothing to the URL: Chat takes none with a $ in it.
  const stage = new HttpStage(scope, 'ApiStage', {
    httpApi: api,
    stageName: '$default',
    autoDeploy: true,
    throttle: { rateLimit: maxRequestsPerSecond, burstLimit: 2 * maxRequestsPerSecond },
    accessLogSettings: { destination: new LogGroupLogDestination(log), format: ACCESS_LOG },
  });
  if (domain !== undefined) mapDomain(domain, api, stage);
  acceptDependencies(stage);
  // Reading the API's own address throws where it is switched off.
  const address = domainName === undefined ? api.apiEndpoint : `https://${domainName}`;
  return { api, url: `${address}${ROUTE}`, domain };
}

/** Maps the domain to the stage, under the ID that CDK gave to the mapping before this was a construct in a stack. */
function mapDomain(domain: DomainName, api: HttpApi, stage: HttpStage): void {
  const path = domain.node.scopes.map(({ node }) => node.id).filter((id) => id !== '' && id !== 'Default');
  new ApiMapping(stage, `${path.join('--')}undefined`, { api, stage, domainName: domain });
  stage.node.addDependency(domain);
}
