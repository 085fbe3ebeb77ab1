/** Where a branch was pushed to, and which branch it is to come into. */
export interface PushedBranch {
  /** URL of the remote, as git has it. */
  readonly remote: string;
  readonly branch: string;
  readonly base?: string | undefined;
}

/** A repository as browsers reach it. No user, no password, no query: they may be credentials. */
interface Place {
  readonly host: string;
  /** `:8443` of an https address; the port of ssh says nothing about the page. */
  readonly port: string;
  readonly path: readonly string[];
  readonly isBitbucketPort: boolean;
}

type Forge = (place: Place) => string | undefined;

/**
 * Where a pull request can be opened for a pushed branch: GitHub, GitLab, Gitea, Forgejo, Bitbucket, Azure DevOps, told
 * by host or by the form of the address. Undefined for everything else. Nothing is asked of the network.
 */
export function pullRequestLink({ remote, branch, base }: PushedBranch): string | undefined {
  const place = placeOf(remote);
  if (place === undefined || branch === '' || /\p{Cc}/u.test(branch + (base ?? ''))) return undefined;
  for (const forge of forges(branch, base)) {
    const link = forge(place);
    if (link !== undefined) return link;
  }
  return undefined;
}

function forges(branch: string, base: string | undefined): readonly Forge[] {
  return [
    (place) => withTail(azure(place), `/pullrequestcreate${query({ sourceRef: branch, targetRef: base })}`),
    (place) => withTail(bitbucketServer(place), serverTail(branch, base)),
    (place) =>
      place.host === 'bitbucket.org' && place.path.length === 2
        ? `${pageOf(place)}/pull-requests/new${query({ source: branch, dest: base, t: '1' })}`
        : undefined,
    (place) =>
      isHostOf(place, 'github') && place.path.length === 2
        ? `${pageOf(place)}/compare/${range(branch, base)}?expand=1`
        : undefined,
    (place) =>
      isHostOf(place, 'gitlab') && place.path.length >= 2
        ? `${pageOf(place)}/-/merge_requests/new${query({ 'merge_request[source_branch]': branch, 'merge_request[target_branch]': base })}`
        : undefined,
    (place) =>
      ['gitea', 'forgejo', 'codeberg'].some((name) => isHostOf(place, name)) && place.path.length === 2
        ? `${pageOf(place)}/compare/${range(branch, base)}`
        : undefined,
  ];
}

/** `github.com`, `github.example.com`, and for companies `acme.ghe.com`. */
function isHostOf({ host }: Place, name: string): boolean {
  return host.startsWith(`${name}.`) || (name === 'github' && host.endsWith('.ghe.com'));
}

/** Where the repository is at Azure DevOps; its server at other hosts has the same form. */
function azure({ host, port, path }: Place): string | undefined {
  const [version, organisation, project, repository, ...rest] = path;
  if (/^v\d+$/.test(version ?? '') && organisation !== undefined && project !== undefined && rest.length === 0) {
    if (repository === undefined) return undefined;
    if (host === 'ssh.dev.azure.com')
      return `https://dev.azure.com/${encoded([organisation, project])}/_git/${encoded([repository])}`;
    if (host === 'vs-ssh.visualstudio.com' && isLabel(organisation))
      return `https://${organisation}.visualstudio.com/${encoded([project])}/_git/${encoded([repository])}`;
  }
  const at = path.indexOf('_git');
  return at > 0 && at === path.length - 2 ? `https://${host}${port}/${encoded(path)}` : undefined;
}

/** `/scm/PROJECT/repository`, or ssh at its port; a project with ~ belongs to a person. */
function bitbucketServer(place: Place): string | undefined {
  const { host, port, path, isBitbucketPort } = place;
  if (host === 'bitbucket.org') return undefined;
  const at = path.indexOf('scm');
  const above = at === -1 ? [] : path.slice(0, at);
  const [project, repository, ...rest] = at === -1 ? path : path.slice(at + 1);
  const isKnown = at !== -1 || isBitbucketPort || isHostOf(place, 'bitbucket');
  if (!isKnown || project === undefined || repository === undefined || rest.length > 0) return undefined;
  const owner = project.startsWith('~') ? ['users', project.slice(1)] : ['projects', project];
  return `https://${host}${port}/${encoded([...above, ...owner, 'repos', repository])}`;
}

function serverTail(branch: string, base: string | undefined): string {
  const rest = query({
    sourceBranch: `refs/heads/${branch}`,
    targetBranch: base === undefined ? undefined : `refs/heads/${base}`,
  });
  return `/pull-requests?create&${rest.slice(1)}`;
}

function withTail(page: string | undefined, tail: string): string | undefined {
  return page === undefined ? undefined : `${page}${tail}`;
}

function pageOf({ host, port, path }: Place): string {
  return `https://${host}${port}/${encoded(path)}`;
}

function range(branch: string, base: string | undefined): string {
  const parts = base === undefined ? [branch] : [base, branch];
  return parts.map((each) => encoded(each.split('/'))).join('...');
}

function query(fields: Readonly<Record<string, string | undefined>>): string {
  const pairs = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`],
  );
  return `?${pairs.join('&')}`;
}

function encoded(segments: readonly string[]): string {
  return segments.map(encodeURIComponent).join('/');
}

const SCP_FORM = /^(?:[^@:/\s]+@)?([^@:/\s]+):(?!\/\/)(.+)$/;

function placeOf(remote: string): Place | undefined {
  if (remote.includes('://')) return placeOfUrl(URL.parse(remote));
  const [, host = '', path = ''] = SCP_FORM.exec(remote) ?? [];
  return placeAt(host, '', path, false);
}

function placeOfUrl(url: URL | null): Place | undefined {
  if (url?.protocol === 'https:')
    return placeAt(url.hostname, url.port === '' ? '' : `:${url.port}`, url.pathname, false);
  return url?.protocol === 'ssh:' ? placeAt(url.hostname, '', url.pathname, url.port === '7999') : undefined;
}

/** Names under which the same servers answer at the port of https. */
const WEB_HOSTS: Readonly<Partial<Record<string, string>>> = {
  'ssh.github.com': 'github.com',
  'altssh.gitlab.com': 'gitlab.com',
  'altssh.bitbucket.org': 'bitbucket.org',
};

function placeAt(host: string, port: string, path: string, isBitbucketPort: boolean): Place | undefined {
  const name = host.toLowerCase();
  if (!name.split('.').every(isLabel)) return undefined;
  const segments = segmentsOf(path);
  if (segments === undefined) return undefined;
  return { host: WEB_HOSTS[name] ?? name, port, path: segments, isBitbucketPort };
}

/** Undefined for a path with anything in it that no forge has in names: it may be a credential in the wrong place. */
function segmentsOf(path: string): string[] | undefined {
  const bare = path.replace(/^\/+|\/+$/g, '').replace(/\.git$/, '');
  let segments: string[];
  try {
    segments = bare.split('/').map(decodeURIComponent);
  } catch {
    return undefined;
  }
  return segments.every(isName) ? segments : undefined;
}

function isName(text: string): boolean {
  return /^[\p{L}\p{N}._~ +()-]+$/u.test(text) && !/^\.+$/.test(text);
}

function isLabel(text: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/i.test(text);
}
