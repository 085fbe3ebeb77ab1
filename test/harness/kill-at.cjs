'use strict';
// Preloaded into a process: it kills itself before the step of the number in KILL_AT. A step is a program that is
// started, a rename, or a removal: whatever others could see.
const childProcess = require('node:child_process');
const fs = require('node:fs');

const at = Number(process.env.KILL_AT ?? 0);
let steps = 0;

function step() {
  steps += 1;
  if (steps === at) process.kill(process.pid, 'SIGKILL');
}

for (const [module, name] of [
  [childProcess, 'spawn'],
  [fs, 'renameSync'],
  [fs, 'rmSync'],
]) {
  const real = module[name];
  module[name] = function (...args) {
    step();
    return real.apply(this, args);
  };
}
