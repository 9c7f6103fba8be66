/** A callback command that the receiver handles. */
export interface Command {
  /** Full CallbackCommand with the part before the dot, because the part after the dot is not unique. */
  name: string;
  /**
   * Attribute that takes the EventTime. If it is `createdTime`, the command is a creation: it removes all older values.
   */
  timestampAttribute?: string;
  /** Profile attributes that the command sets, each with the field of the body that holds its value. */
  attributes: Readonly<Record<string, Field>>;
  /**
   * Published event, for other systems. Without it, the publisher sends the event of another command if that matches
   * the change, for example `officialAccountChanged` for a new name.
   */
  event?: CommandEvent;
}

/** A string field of the body. */
export interface Field {
  wireName: string;
  /** If true, an absent field leaves the attribute unchanged. If false, it is an error. */
  isOptional: boolean;
}

export const required = (wireName: string): Field => ({ wireName, isOptional: false });
export const optional = (wireName: string): Field => ({ wireName, isOptional: true });

/** How changes are published. In `matches` and `details`, `before` is undefined for a new record. */
export interface CommandEvent {
  /** JSON Schema of the event's `detail`. Its title is the detail type. */
  schema: { $id: string; title: string; required: string[] };
  /** Returns whether a change is published as this event. Default: the timestamp attribute has a new value. */
  matches?(before: Image | undefined, after: Image): boolean;
  /** Returns the properties of `detail` that are not attributes of the record. */
  details?(before: Image | undefined, after: Image): Record<string, unknown>;
}

/** Published attributes of a record before or after a change. */
export type Image = Readonly<Record<string, unknown>>;
