// Which Node runs this? In CommonJS and old syntax, because an older Node must get as far as saying so: it cannot even
// load a .ts file. Loaded before every script of package.json: `node -r ./.ci/guard.cjs .ci/build.ts`.
const [sottoNodeMajor, sottoNodeMinor] = process.versions.node.split('.').map(Number);
if (sottoNodeMajor < 24 || (sottoNodeMajor === 24 && sottoNodeMinor < 15)) {
  process.stderr.write(
    `sotto needs Node.js 24.15 or newer; this is ${process.version} (${process.execPath}).\n` +
      'In a checkout run it through npm (`npm run …`, `npx sotto …`): `npm ci` installs the right Node into node_modules.\n' +
      'If it did not, optional dependencies were left out: run `npm ci --include=optional`, or install Node.js 24.\n',
  );
  process.exit(2);
}
