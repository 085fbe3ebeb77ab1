import type { Resource } from './resource.ts';
import { resourcePath } from './resource.ts';

export interface WatchPathOptions {
  readonly resource: Resource;
  readonly namespace: string;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** Path and query of a watch from a version on, or of a streaming list (KEP-3157) with `list`. */
export function watchPath(
  options: WatchPathOptions,
  stream: { readonly timeoutSeconds: number; readonly from: string },
): string {
  const query = new URLSearchParams({
    watch: '1',
    allowWatchBookmarks: 'true',
    timeoutSeconds: String(stream.timeoutSeconds),
  });
  if (stream.from === 'list') {
    query.set('sendInitialEvents', 'true');
    query.set('resourceVersionMatch', 'NotOlderThan');
  } else {
    query.set('resourceVersion', stream.from);
  }
  if (options.labelSelector !== undefined) query.set('labelSelector', options.labelSelector);
  if (options.fieldSelector !== undefined) query.set('fieldSelector', options.fieldSelector);
  return `${resourcePath(options.resource, options.namespace)}?${query.toString()}`;
}
