import { type DocumentDirective, type Event, EVENT_ID, parseEvents, YAMLException } from 'js-yaml';
import { SottoError } from '../core/errors.ts';
import { type Aliased, DocumentBuilder } from './builder.ts';
import { PARSE_LIMITS, type ParseLimits, type ParseOptions } from './limits.ts';
import { tooDeep, tooManyDocuments, tooManyNodes } from './refusals.ts';
import { type Chunk, splitStream } from './split.ts';
import { Lines, type YamlDocument } from './tree.ts';

/**
 * Reads a YAML stream as trees with offsets. Types are not resolved: that is a reading of its own (manifest.ts for
 * kubectl's, sops/scalar.ts for that of sops). Throws SottoError with file and line and nothing else; messages never
 * hold text of the document, which may be a secret.
 */
export function parseYaml(text: string, options: ParseOptions): YamlDocument[] {
  const limits = { ...PARSE_LIMITS, ...options.limits };
  const lines = new Lines(text);
  refuseTooManyIndicators(text, limits, options.file);
  const documents: YamlDocument[] = [];
  const source = { text, lines, limits, file: options.file, aliased: { nodes: 0, characters: 0 } };
  for (const chunk of splitStream(text)) {
    for (const document of parseChunk(source, chunk)) documents.push(document);
    if (documents.length > limits.maxDocumentsPerFile) throw tooManyDocuments(limits, { file: options.file });
  }
  return documents;
}

interface FileSource {
  readonly text: string;
  readonly lines: Lines;
  readonly limits: ParseLimits;
  readonly file: string;
  readonly aliased: Aliased;
}

function* parseChunk(source: FileSource, chunk: Chunk): Generator<YamlDocument> {
  const { text, lines, limits, file } = source;
  const events = readEvents(text, chunk, lines, limits, file);
  let at = 0;
  while (at < events.length) {
    const opening = events[at];
    const directives: readonly DocumentDirective[] = opening?.type === EVENT_ID.DOCUMENT ? opening.directives : [];
    const builder = new DocumentBuilder({ ...source, chunk, events, at: at + 1, directives });
    yield builder.build();
    // One more for the event that closes the document.
    at = builder.at + 1;
  }
}

function readEvents(text: string, chunk: Chunk, lines: Lines, limits: ParseLimits, file: string): Event[] {
  try {
    return parseEvents(text.slice(chunk.start, chunk.readEnd), { maxDepth: limits.maxDepth });
  } catch (thrown) {
    if (!(thrown instanceof YAMLException)) throw thrown;
    const position = Math.min(chunk.start + (thrown.mark?.position ?? 0), text.length);
    const place = { file, line: lines.at(position) };
    if (thrown.reason.startsWith('nesting exceeded')) throw tooDeep(limits, place);
    throw new SottoError({
      code: 'SOTTO-YAML-001',
      what: 'the document is not valid YAML',
      why: clean(thrown.reason),
      next: 'mend the line named; the mistake can be a little before it',
      ...place,
    });
  }
}

/** Some of the parser's reasons end with a piece of the document: that may be a secret, so it is cut off. */
function clean(reason: string): string {
  return reason.replace(/(: | "|, but found ).*$/s, '');
}

/** Every node costs one of these characters, so their number bounds the events of a text before it is read. */
function refuseTooManyIndicators(text: string, limits: ParseLimits, file: string): void {
  if (text.length <= limits.maxIndicatorsPerFile) return;
  let found = 0;
  for (let at = 0; at < text.length; at += 1) if (PARTS_NODES.has(text.charCodeAt(at))) found += 1;
  if (found <= limits.maxIndicatorsPerFile) return;
  const why = `it has more than ${limits.maxIndicatorsPerFile} lines, commas and other characters that part nodes`;
  throw tooManyNodes(why, { file });
}

const PARTS_NODES = new Set([',', '\n', '\r', '[', '{', ':', '?', '-'].map((char) => char.charCodeAt(0)));
