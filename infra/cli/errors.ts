/** The user's command is wrong. Printed with a hint at `--help`, without a stack trace; exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/**
 * The command is right, but cannot be carried out, for example because the network or a right is missing. The message
 * says what failed and what to do. Printed without a stack trace; exit code 1.
 */
export class OperationError extends Error {
  override name = 'OperationError';
}
