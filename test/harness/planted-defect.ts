import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';

/** A defect, as if somebody had written it: in a source file, one text gives way to another. */
export interface Defect {
  /** Below src. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/**
 * Loaded before the program as it stands in src: it runs with the defects of that JSON file. One whose text is not there
 * once ends it, so that none is silently absent after the source was changed.
 */
const path = process.env['SOTTO_TEST_DEFECTS'];
const defects = path === undefined ? [] : (JSON.parse(readFileSync(path, 'utf8')) as readonly Defect[]);

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const planted = defects.filter(({ file }) => url.endsWith(`/src/${file}`));
    if (planted.length === 0) return loaded;
    let source = Buffer.from(loaded.source as Uint8Array).toString();
    for (const { file, from, to } of planted) {
      if (source.split(from).length !== 2) throw new Error(`src/${file} has this not once: ${from}`);
      source = source.replace(from, () => to);
    }
    return { ...loaded, source };
  },
});
