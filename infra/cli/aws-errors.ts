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
  if (/^(AccessDenied|AccessDeniedException|UnauthorizedOperation|NotAuthorized)$/.test(name)) {
    // IAM names the action; SQS writes it in lower case.
    const right = /not authorized to perform:? ([\w:-]+)/.exec(message)?.[1];
    return because(right ? `your credentials lack the right ${right}` : 'your credentials lack a right for it');
  }
  if (/KMS.*AccessDenied|^KMS/.test(name)) return because('your credentials may not use the key that encrypts it');
  if (/^Expired|TokenRefreshRequired/.test(name)) return because(EXPIRED);
  if (
    /^(UnrecognizedClient|InvalidClientTokenId|InvalidSignature|SignatureDoesNotMatch|IncompleteSignature)/.test(name)
  )
    return because('AWS does not know your credentials, or the clock of this machine is wrong');
  if (/CredentialsProviderError|TokenProviderError/.test(name)) {
    return because(
      /expired/i.test(message)
        ? EXPIRED
        : 'there are no AWS credentials: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID',
    );
  }
  if (/region is missing|region not accepted/i.test(message)) {
    return because('the region is missing: give --region, or set AWS_REGION');
  }
  if (/NonExistentQueue|QueueDoesNotExist/.test(name)) return because('the queue does not exist any more');
  if (name.startsWith('ResourceNotFound')) return because('it does not exist any more');
  const networkCode = code ?? cause?.code;
  if (networkCode !== undefined || name === 'TimeoutError')
    return because(`AWS can't be reached (${networkCode ?? name})`, false);
  if ($metadata?.httpStatusCode !== undefined) return because(`AWS answers ${name}: ${printable(message)}`, false);
  return undefined;
}

const EXPIRED = 'your AWS credentials have expired: log in again';
