import type { CodeEntry } from './entry.ts';

/** Commits of the command line on their way to a remote. */
export const UP_CODES = {
  'SOTTO-CLI-270': {
    title: 'There is nowhere to push to',
    explain:
      'A branch is pushed to its upstream, else to a branch of the same name at the only remote, or at origin. This clone has none of these. Nothing was changed.',
    example: 'git remote -v',
  },
  'SOTTO-CLI-271': {
    title: 'A file cannot be changed in a commit',
    explain:
      'With --push or --branch the file is changed as HEAD has it, not as it is on the disk. So it has to be a plain file of HEAD, or one that is not there yet. With --push alone the working tree follows the commit, and for that the file must have no change of its own; with --branch NAME it is left alone.',
    example: 'git status',
  },
  'SOTTO-CLI-272': {
    title: 'A change was not pushed',
    explain:
      'The remote did not take the commit, or was not reached. Branch, files and index are as they were: the commit is made beside them, and the branch follows only what the remote has taken.',
    example: 'git push --dry-run',
  },
  'SOTTO-CLI-273': {
    title: 'Others were faster with a change',
    explain:
      'When the branch has moved at the remote, the change is made again on what others have pushed, up to five times, and never by force. Where they changed the same value, or made a branch of the same name, that would undo their work; and where the file is for others there, selects other values for encryption or has another data key, the value could be read by whoever has done that. Then it ends here, and nothing is changed.',
    example: 'git pull --ff-only',
  },
} as const satisfies Record<string, CodeEntry>;
