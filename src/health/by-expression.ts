import type { Json } from '../core/json.ts';
import { conditionsOf } from './conditions.ts';
import { evaluate, Fault } from '../expression/evaluate.ts';
import type { Health } from './result.ts';
import { current, failed, inProgress, unknown } from './result.ts';
import type { KindExpressions } from '../expression/health-rules.ts';

/** Reason of an object of which an expression says nothing that can be used. */
export const EXPRESSION_FAILED = 'ExpressionFailed';

/** The order of Flux: inProgress, failed, current; when none holds, it is in progress. */
export function expressionStatus(expressions: KindExpressions, object: Json): Health {
  for (const name of ['inProgress', 'failed', 'current'] as const) {
    const expression = expressions[name];
    if (expression === undefined) continue;
    const value = evaluate(expression.tree, object);
    // Not there yet, as with every object that its controller has not seen.
    if (value instanceof Fault && value.kind === 'missing') {
      return inProgress('FieldMissing', `the expression ${name} asks for what is not there: ${value.text}`);
    }
    if (value instanceof Fault) return unknown(EXPRESSION_FAILED, `the expression ${name}: ${value.text}`);
    if (typeof value !== 'boolean') {
      return unknown(EXPRESSION_FAILED, `the expression ${name} gives something else than true or false`);
    }
    if (value) return held(name, object);
  }
  return inProgress('NoExpressionHolds', `none of its expressions holds${readyText(object)}`);
}

function held(name: 'inProgress' | 'failed' | 'current', object: Json): Health {
  const message = `the expression ${name} holds`;
  if (name === 'current') return current(message);
  const text = `${message}${readyText(object)}`;
  return name === 'failed' ? failed('FailedByExpression', text) : inProgress('InProgressByExpression', text);
}

/** What its controller says of it, for people. */
function readyText(object: Json): string {
  const ready = conditionsOf(object).find(({ type }) => type === 'Ready');
  if (ready === undefined || (ready.reason === '' && ready.message === '')) return '';
  return ` (Ready is ${ready.status}: ${ready.reason} ${ready.message.slice(0, 400)})`;
}
