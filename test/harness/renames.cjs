'use strict';
// Preloaded into a process: it writes into the file of RENAMES what was done to put a file in its place. A line for each
// rename says whether what was written had been synced before, and one for each folder that was synced.
const fs = require('node:fs');

const { openSync, writeSync, fsyncSync, renameSync, appendFileSync, fstatSync } = fs;
const paths = new Map();
const unsynced = new Set();
const note = (line) => appendFileSync(process.env.RENAMES, `${line}\n`);

fs.openSync = function (...args) {
  const fd = openSync.apply(this, args);
  paths.set(fd, String(args[0]));
  return fd;
};
fs.writeSync = function (...args) {
  unsynced.add(paths.get(args[0]));
  return writeSync.apply(this, args);
};
fs.fsyncSync = function (fd) {
  fsyncSync.call(this, fd);
  unsynced.delete(paths.get(fd));
  if (fstatSync(fd).isDirectory()) note(`folder ${paths.get(fd)}`);
};
fs.renameSync = function (from, to) {
  const how = String(from) === String(to) ? 'in place' : unsynced.has(String(from)) ? 'unsynced' : 'synced';
  renameSync.call(this, from, to);
  note(`${how} ${String(to)}`);
};
