import { LIMITS } from '../core/limits.ts';

/** The caps of one reading; the defaults are those of core. */
export interface ParseLimits {
  readonly maxDepth: number;
  readonly maxDocumentsPerFile: number;
  readonly maxNodesPerDocument: number;
  readonly maxAliasesPerDocument: number;
  readonly maxAliasedNodesPerFile: number;
  readonly maxAliasedCharactersPerFile: number;
  /** Characters that can start or part nodes. They bound what the event reader allocates before nodes are counted. */
  readonly maxIndicatorsPerFile: number;
}

export const PARSE_LIMITS: ParseLimits = {
  maxDepth: LIMITS.maxDepth,
  maxDocumentsPerFile: LIMITS.maxDocumentsPerFile,
  maxNodesPerDocument: LIMITS.maxNodesPerDocument,
  maxAliasesPerDocument: LIMITS.maxAliasesPerDocument,
  maxAliasedNodesPerFile: LIMITS.maxNodesPerDocument,
  maxAliasedCharactersPerFile: LIMITS.maxAliasedCharacters,
  maxIndicatorsPerFile: 1_000_000,
};

/** For a file that a person names on their own machine: only what is beyond all use is refused. Never in the agent. */
export const LOCAL_LIMITS: ParseLimits = {
  ...PARSE_LIMITS,
  maxNodesPerDocument: LIMITS.maxLocalNodesPerDocument,
  maxAliasedNodesPerFile: LIMITS.maxLocalNodesPerDocument,
  maxAliasedCharactersPerFile: LIMITS.maxLocalFileBytes,
  maxIndicatorsPerFile: 32_000_000,
};

export interface ParseOptions {
  /** What errors call the text: a path relative to the repository's root. */
  readonly file: string;
  readonly limits?: Partial<ParseLimits>;
}
