import { OperationError } from './errors.ts';
import { printable } from './terminal.ts';

interface SdkError {
  name: string;
  message: string;
  code?: string;
  cause?: SdkError;
  $metadata?: { httpStatusCode?: number };
}

/** A call to AWS failed. */
export class AwsCallError extends OperationError {
  override name = 'AwsCallError';
  /** Whether the same call would fail again. */
  readonly isPermanent: boolean;

  constructor(message: string, isPermanent: boolean, options?: ErrorOptions) {
    super(message, options);
    this.isPermanent = isPermanent;
  }
}

/** Calls AWS. @throws AwsCallError with one line that says what failed and what to do. */
export async function tryTo<T>(action: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw error instanceof OperationError ? error : (awsCallError(action, error) ?? error);
  }
}

/** Permanent errors, found by name and message, each with the reason for operators. */
const PERMANENT: readonly [RegExp, string][] = [
  [/^[^:]*KMS/, 'your credentials may not use the key that encrypts it'],
  [
    /^(AccessDenied|AccessDeniedException|UnauthorizedOperation|NotAuthorized):/,
    'your credentials lack a right for it',
  ],
  [
    /^Expired|^TokenRefreshRequired|^\w*(Credentials|Token)ProviderError:.*expired/is,
    'your AWS credentials have expired: log in again',
  ],
  [
    /^(UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|IncompleteSignature)/,
    'AWS does not know your credentials, or the clock of this machine is wrong',
  ],
  [
    /^\w*(Credentials|Token)ProviderError:/,
    'there are no AWS credentials: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID',
  ],
  [/^[^:]*(NonExistentQueue|QueueDoesNotExist)/, 'the queue does not exist any more'],
  [/^ResourceNotFound/, 'it does not exist any more'],
  [/region is missing|region not accepted/i, 'the region is missing: give --region, or set AWS_REGION'],
];

/**
 * Translates an error of the AWS SDK for operators.
 *
 * @param action what failed, as in "read the table".
 * @returns undefined if it is not an error of the SDK.
 */
export function awsCallError(action: string, error: unknown): AwsCallError | undefined {
  if (!(error instanceof Error)) return undefined;
  const { name, message, code, cause, $metadata } = error as SdkError;
  const because = (reason: string, isPermanent = true) =>
    new AwsCallError(`Can't ${action}: ${reason}`, isPermanent, { cause: error });
  // IAM names the action; SQS writes it in lower case.
  const right = /not authorized to perform:? ([\w:-]+)/.exec(message)?.[1];
  if (right !== undefined) return because(`your credentials lack the right ${right}`);
  const [, reason] = PERMANENT.find(([pattern]) => pattern.test(`${name}: ${message}`)) ?? [];
  if (reason !== undefined) return because(reason);
  const networkCode = code ?? cause?.code ?? (name === 'TimeoutError' ? name : undefined);
  if (networkCode !== undefined) return because(`AWS can't be reached (${networkCode})`, false);
  if ($metadata?.httpStatusCode !== undefined) return because(`AWS answers ${name}: ${printable(message)}`, false);
  return undefined;
}
