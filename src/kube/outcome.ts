import type { JsonObject } from '../core/json.ts';
import { isJsonObject } from '../core/json.ts';
import { blankLastApplied, parseAnswer } from './answer-json.ts';
import type { Answer } from './exchange.ts';
import type { KubeFailure } from './failure.ts';
import { failureFromAnswer, failureOf, failureWithoutAnswer } from './failure.ts';
import type { Resource } from './resource.ts';
import type { Call, Transport } from './transport.ts';

/** A request's result: refusals are values, because what follows from them is the caller's decision. */
export type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly failure: KubeFailure };

/** Sends and tells answers from refusals. A refusal about a Secret is overwritten once its facts are taken. */
export async function ask(
  transport: Transport,
  resource: Resource,
  call: Omit<Call, 'resource'>,
): Promise<Outcome<Answer>> {
  const reply = await transport.send({ ...call, resource });
  if (reply.kind === 'none') return { ok: false, failure: failureWithoutAnswer(reply) };
  if (reply.status >= 200 && reply.status < 300) return { ok: true, value: reply };
  const failure = failureFromAnswer(reply, resource.secret);
  if (resource.secret) reply.bytes.fill(0);
  return { ok: false, failure };
}

/** The object an answer holds; annotations of a Secret that repeat its values are overwritten first. */
export function objectIn(answer: Answer, secret: boolean): Outcome<JsonObject> {
  try {
    if (secret) blankLastApplied(answer.bytes);
    const object = parseAnswer(answer.bytes);
    if (isJsonObject(object)) return { ok: true, value: object };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return { ok: false, failure: failureOf({ kind: 'protocol', status: answer.status, reason: 'not JSON' }) };
}
