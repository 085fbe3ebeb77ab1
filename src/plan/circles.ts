/** The groups of nodes that reach each other, and single nodes that reach themselves. No recursion: a chain may be long. */
export function circlesOf<Node>(nodes: readonly Node[], next: (node: Node) => readonly Node[]): readonly Node[][] {
  const back = new Map<Node, Node[]>(nodes.map((node) => [node, []]));
  for (const node of nodes) for (const target of next(node)) back.get(target)?.push(node);
  const ended = walk(nodes, (node) => next(node).filter((target) => back.has(target))).flat();
  const groups = walk(ended.toReversed(), (node) => back.get(node) ?? []);
  return groups.filter(([first, ...rest]) => first !== undefined && (rest.length > 0 || next(first).includes(first)));
}

/** Depth first from each node that was not reached before: the nodes of each walk in the order in which they ended. */
function walk<Node>(starts: readonly Node[], next: (node: Node) => readonly Node[]): Node[][] {
  const seen = new Set<Node>();
  const walks: Node[][] = [];
  for (const start of starts) {
    if (seen.has(start)) continue;
    seen.add(start);
    const ended: Node[] = [];
    const open = [{ node: start, left: next(start).toReversed() }];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const target = top.left.pop();
      if (target === undefined) {
        ended.push(top.node);
        open.pop();
      } else if (!seen.has(target)) {
        seen.add(target);
        open.push({ node: target, left: next(target).toReversed() });
      }
    }
    walks.push(ended);
  }
  return walks;
}

/** A shortest way from the node back to itself, both ends included. */
export function wayRound<Node>(start: Node, next: (node: Node) => readonly Node[]): Node[] {
  const from = new Map<Node, Node>();
  const queue: Node[] = [start];
  for (const node of queue) {
    for (const target of next(node)) {
      if (target === start) return [...wayTo(node, start, from), start];
      if (from.has(target)) continue;
      from.set(target, node);
      queue.push(target);
    }
  }
  return [start];
}

function wayTo<Node>(end: Node, start: Node, from: ReadonlyMap<Node, Node>): Node[] {
  const way: Node[] = [end];
  for (let at = end; at !== start; ) {
    const before = from.get(at);
    if (before === undefined) break;
    way.push(before);
    at = before;
  }
  return way.toReversed();
}
