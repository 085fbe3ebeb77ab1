import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** A script that completes command names, their flags and the words these take. Files are left to the shell. */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  if (shell === 'fish') return fishScript(commands);
  if (shell === 'bash') return bashScript(commands);
  return `autoload -U +X compinit bashcompinit && compinit && bashcompinit\n${bashScript(commands)}`;
}

function bashScript(commands: readonly Command[]): string {
  const names = commands.map((command) => command.name()).join(' ');
  const flags = commands.map((command) => `    ${command.name()}) words='${flagsOf(command).join(' ')}' ;;`);
  const choices = commands.flatMap((command) =>
    command.options.flatMap(({ long, short, argChoices }) => {
      if (argChoices === undefined) return [];
      const spelt = [long, short].filter((flag) => flag !== undefined && flag !== null);
      return spelt.map((flag) => `    ${command.name()}:${flag}) words='${argChoices.join(' ')}' ;;`);
    }),
  );
  return `_sotto() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" prev="\${COMP_WORDS[COMP_CWORD-1]}" words=''
  COMPREPLY=()
  case "\${COMP_WORDS[1]}" in
${flags.join('\n')}
  esac
  [ "$COMP_CWORD" -gt 1 ] && [ "\${cur#-}" = "$cur" ] && words=''
  [ "$COMP_CWORD" -eq 1 ] && words='${names}'
  case "\${COMP_WORDS[1]}:$prev" in
${choices.join('\n')}
  esac
  [ -n "$words" ] && COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -o default -F _sotto sotto
`;
}

function flagsOf(command: Command): string[] {
  return [...command.options.flatMap(({ long }) => long ?? []), '--help'];
}

function fishScript(commands: readonly Command[]): string {
  const lines = commands.flatMap((command) => [
    `complete -c sotto -n __fish_use_subcommand -f -a ${command.name()} -d ${quoted(command.description())}`,
    ...command.options.map(({ long, short, description, required, argChoices }) => {
      const parts = [
        `complete -c sotto -n '__fish_seen_subcommand_from ${command.name()}'`,
        ...(long === undefined || long === null ? [] : [`-l ${long.slice(2)}`]),
        ...(short === undefined || short === null ? [] : [`-s ${short.slice(1)}`]),
        ...(required ? ['-r'] : []),
        ...(argChoices === undefined ? [] : [`-f -a ${quoted(argChoices.join(' '))}`]),
        `-d ${quoted(description)}`,
      ];
      return parts.join(' ');
    }),
  ]);
  return `${lines.join('\n')}\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
