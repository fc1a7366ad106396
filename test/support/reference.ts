import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

/** The YAML of the committed reference, as its readers copy it. */

const REFERENCE = path.resolve(__dirname, '../../config/generated/reference')

export interface ReferenceExample {
  readonly page: string
  /** Page and the line above it. */
  readonly title: string
  readonly yaml: string
  /** What stands beside it, by path. */
  readonly files: ReadonlyMap<string, string>
}

export const referenceFiles = (): readonly string[] => readdirSync(REFERENCE).filter(page => page !== 'README.md')

export const referenceText = (page: string): string => readFileSync(path.join(REFERENCE, page), 'utf8')

/** The YAML blocks of all pages; a file beside an example follows it on the page. */
export function referenceExamples(): readonly ReferenceExample[] {
  const examples: (ReferenceExample & { readonly files: Map<string, string> })[] = []
  for (const page of referenceFiles()) {
    for (const [, caption, language, text] of referenceText(page).matchAll(/^(.*):\n\n```(\w+)\n([\s\S]*?)\n```$/gm)) {
      const [, beside] = /^with `(.*)` beside it$/.exec(caption) ?? []
      if (beside !== undefined) examples.at(-1)?.files.set(beside, text)
      else if (language === 'yaml') examples.push({ page, title: `${page}: ${caption}`, yaml: text, files: new Map() })
    }
  }
  return examples
}

/** Writes an example and what stands beside it into an empty folder; gives the path of the pipeline file. */
export function writeExample({ yaml, files }: ReferenceExample, folder: string): string {
  for (const [name, text] of [...files, ['pipeline.yaml', yaml]]) {
    const file = path.join(folder, name)
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(file, `${text}\n`)
  }
  return path.join(folder, 'pipeline.yaml')
}

/** Ends with its input. The others go on like the host or the clock they follow. */
export const ends = ({ yaml }: ReferenceExample): boolean => !/history:|type: host/.test(yaml)

export const needsServices = ({ yaml }: ReferenceExample): boolean => /^connections:/m.test(yaml)
