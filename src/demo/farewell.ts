import type { DemoOptions } from './options.ts';
import type { Screen } from './screen.ts';
import type { Stage } from './stage.ts';

/** With `--keep`: everything runs on, and these are the ways in. */
export function sayWhatToLookAt({ screen, cluster, git, gitLogin, repository, agent, options }: Stage): void {
  const { access } = cluster;
  const flags = access.kind === 'flags' ? access.flags.map((flag) => ` ${flag}`).join('') : '';
  const url = git.url(repository).replace('https://', `https://${gitLogin}@`);
  screen.heading('Everything runs until Ctrl-C. In another terminal:');
  screen.say();
  if (access.kind === 'file') screen.command(`export KUBECONFIG=${access.kubeconfig}`);
  screen.command(`kubectl${flags} get deployments,services,configmaps,secrets`);
  screen.command(`${options.commandName} status${flags}`);
  screen.say();
  screen.say('Change something by hand, and see who undid it:');
  screen.command(`kubectl${flags} scale deployment web --replicas 9`);
  screen.command(`kubectl${flags} events --for deployment/web`);
  screen.say();
  screen.say('The repository; a push is live a second or two later:');
  screen.command(`export GIT_SSL_CAINFO=${git.caPath}`);
  screen.command(`git clone ${url}`);
  screen.say();
  screen.say('The log of the agent:');
  screen.command(`tail -f ${agent.logPath}`);
  screen.say();
}

export function sayNext({ keep, commandName }: DemoOptions, screen: Screen): void {
  screen.say();
  screen.heading('Next');
  screen.table([
    ...(keep ? [] : [['npm run demo -- --keep', 'the same, left running to look around'] as const]),
    ['npm run demo -- --context NAME', 'on a cluster, in a namespace of its own'],
    [`${commandName} encrypt --help`, 'encrypt a file of your own, as sops does'],
    [`${commandName} --help`, 'everything else'],
  ]);
}
