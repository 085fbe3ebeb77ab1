import type { DocumentDirective } from 'js-yaml';

const CORE = 'tag:yaml.org,2002:';

/** `!!str` as `tag:yaml.org,2002:str`, a local tag as it is; undefined for the bare `!`, which asks for nothing. */
export function expandTag(raw: string, directives: readonly DocumentDirective[]): string | undefined {
  if (raw === '!') return undefined;
  if (raw.startsWith('!<')) return raw.slice(2, -1);
  const handleEnd = raw.indexOf('!', 1);
  const handle = raw.slice(0, handleEnd + 1) || '!';
  const suffix = raw.slice(handle.length);
  for (const directive of directives) {
    if (directive.kind === 'tag' && directive.handle === handle) return directive.prefix + suffix;
  }
  return handle === '!!' ? CORE + suffix : raw;
}

/** The name of a tag of YAML itself (`str`, `int`, …), undefined for any other tag. */
export function coreTag(tag: string | undefined): string | undefined {
  return tag?.startsWith(CORE) === true ? tag.slice(CORE.length) : undefined;
}
