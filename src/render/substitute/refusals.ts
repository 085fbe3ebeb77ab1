import { SottoError } from '../../core/errors.ts';

/** Names of variables are told, values never. */

export function unknownVariable(name: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-073',
    what: `the variable ${name} is not known`,
    why: 'neither postBuild.substitute of the sync nor a ConfigMap of its substituteFrom has it, and no default is written',
    next: `add ${name} to one of them, write \${${name}:=default}, or $\${${name}} where the text itself is meant`,
  });
}

export function badExpression(name: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-074',
    what: name === '' ? 'an expression with a variable cannot be read' : `the expression with ${name} cannot be read`,
    why,
    next: 'write $${ where the text ${ itself is meant, or mend the expression',
  });
}

export function unsupportedExpression(name: string, sign: string): SottoError {
  return badExpression(name, `"${sign}" behind the name is not one of the functions :- := = : # % / ^ and ,`);
}

export function badValue(name: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-075',
    what: `the value of ${name} cannot be used here`,
    why,
    next: `change the value of ${name}, or put the text into the manifest itself`,
  });
}

export function doesNotFit(why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-075',
    what: 'what the variables make does not fit into its place',
    why,
    next: 'give the variables values that are one plain text, number or word in YAML, or put the text into the manifest itself',
  });
}

export function notText(): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-075',
    what: 'what the variables make is a number or a boolean where only text can stand',
    why: 'a value is typed where it is put, and quotes that YAML does not need are gone by then',
    next: "make the quotes a variable: ${quote}${name}${quote}, with quote: '\"' in postBuild.substitute",
  });
}

export function notHere(where: string, why: string): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-076',
    what: `a variable stands in ${where}`,
    why,
    next: 'write the text itself there, or annotate the object with kustomize.toolkit.fluxcd.io/substitute: disabled if no variable is meant',
  });
}

export function tooMuch(): SottoError {
  return new SottoError({
    code: 'SOTTO-RENDER-077',
    what: 'there is too much to substitute',
    why: 'the objects of the sync would become too large, or take too long',
    next: 'use shorter values and fewer expressions, or divide the path between syncs',
  });
}
