// What the server of the inspector sends to its page. Both import it, so it imports nothing.

export type Json = Record<string, unknown>;

/** A delivery, with everything that is known about it so far. */
export interface InspectedDelivery {
  /** Counts from 1 since the start of `npm start`. */
  number: number;
  /** Request ID of API Gateway, as in the log of the receiver. */
  id: string;
  /** Time of receipt, in Unix milliseconds. */
  time: number;
  sourceIp: string;
  /** Query string as it came. */
  query: string;
  headers: Readonly<Record<string, string>>;
  body: {
    /** The first 64 KiB, decoded as UTF-8. */
    text: string;
    bytes: number;
    isTruncated: boolean;
    /** Only of a body that is not UTF-8. */
    base64?: string;
  };
  /** From the URL or the body. */
  command?: string | undefined;
  officialAccountId?: string | undefined;
  reply?: { status: number; body: string; ms: number };
  /** Line in the log of the receiver. */
  log?: Json;
  /** Latest line in the log of the redrive, if the delivery was in the parking queue. */
  redrive?: Json;
  /** The record before and after the delivery. */
  record?: { before?: Json | undefined; after?: Json | undefined };
  event?: Json;
}

export type Parameter = [name: string, value: string];

/** First message of the stream. Only a page of the same origin can read it. */
export interface Hello {
  /** Changes with every `npm start`. */
  run: string;
  /** Token for requests that change something. */
  actionToken: string;
  webhookUrl: string;
  sdkAppId: string;
  isAuthenticated: boolean;
  allowedCidrs: readonly string[];
  forwardUrl?: string | undefined;
  /** Tencent's documented bodies, and the parameters of their URL. */
  samples: readonly Json[];
  sampleQuery: readonly Parameter[];
}

/** All other messages of the stream: new and changed deliveries. */
export interface News {
  deliveries: InspectedDelivery[];
  /** Number of the oldest delivery that is kept. */
  oldest: number;
}

/** A delivery that the page composes. The server adds Sign and RequestTime. */
export interface Composed {
  query: readonly Parameter[];
  body: string;
}

/** Result of an action: the new delivery, or why there is none. */
export type ActionResult = { id: string } | { error: string };

/** One of the lists of what the deployment contains. */
export interface StateList {
  title: string;
  count: number;
  /** The newest ones first. */
  items: readonly Json[];
}
