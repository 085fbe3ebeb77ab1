import type { SottoError } from '../core/errors.ts';
import { parseSettings } from './parse.ts';
import type { Settings } from './settings.ts';

/** Which settings are in force, and what is wrong with the newest text, if anything. */
export interface SettingsState {
  /** Undefined until a good text was seen: then nothing is done. */
  readonly current: Settings | undefined;
  /** The text that `current` was made of. */
  readonly currentText: string | undefined;
  readonly problems: readonly SottoError[];
}

export const NO_SETTINGS: SettingsState = { current: undefined, currentText: undefined, problems: [] };

/**
 * The next state after the text was read again. A bad text changes nothing but the problems. The same good text gives
 * the same `current` object, so that identity tells whether anything has to be done.
 */
export function nextSettings(state: SettingsState, text: string, file: string): SettingsState {
  if (text === state.currentText) return state.problems.length === 0 ? state : { ...state, problems: [] };
  const parsed = parseSettings(text, file);
  if (!parsed.ok) return { ...state, problems: parsed.problems };
  return { current: parsed.settings, currentText: text, problems: [] };
}

/** The settings cannot be read at all (ConfigMap deleted, file gone): the last good ones stay in force. */
export function settingsUnreadable(state: SettingsState, problem: SottoError): SettingsState {
  return { ...state, problems: [problem] };
}
