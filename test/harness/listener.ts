import type { RunningAgent } from './agent.ts';

export interface AgentListener {
  readonly url: string;
  get(path: string, method?: string): Promise<{ readonly status: number; readonly body: string }>;
  /** The body of an answer that must be 200. */
  text(path: string): Promise<string>;
}

/** Where an agent of a test listens: its log says it. */
export function listenerOf(agent: RunningAgent): Promise<AgentListener> {
  return listenerWith(agent, 'listening');
}

/** The one of `page.listen`. */
export function pageOf(agent: RunningAgent): Promise<AgentListener> {
  return listenerWith(agent, 'page listening');
}

async function listenerWith(agent: RunningAgent, what: string): Promise<AgentListener> {
  const { port } = await agent.line(what, ({ msg }) => msg === what);
  const url = `http://127.0.0.1:${String(port)}`;
  const get: AgentListener['get'] = async (path, method = 'GET') => {
    const answer = await fetch(`${url}${path}`, { method, redirect: 'manual' });
    return { status: answer.status, body: await answer.text() };
  };
  return {
    url,
    get,
    text: async (path) => {
      const { status, body } = await get(path);
      if (status !== 200) throw new Error(`${path}: ${status} ${body}`);
      return body;
    },
  };
}
