import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'

/**
 * Folders of the repository as JavaScript, so that threads and child processes start without a loader, as those of the package do.
 * @param folders paths from the root, such as `src/store`; their modules keep their places below `target`
 * @returns where `path`, such as `src/store/sqlite.ts`, went
 */
export function compile(target: string, folders: readonly string[]): (path: string) => URL {
  for (const folder of folders) {
    mkdirSync(join(target, folder), { recursive: true })
    for (const name of readdirSync(folder).filter(name => name.endsWith('.ts') && !name.endsWith('.test.ts'))) {
      const { outputText } = ts.transpileModule(readFileSync(join(folder, name), 'utf8'), {
        compilerOptions: {
          target: ts.ScriptTarget.ES2023,
          module: ts.ModuleKind.ESNext,
          verbatimModuleSyntax: true,
          rewriteRelativeImportExtensions: true,
        },
      })
      writeFileSync(join(target, folder, name.replace(/ts$/, 'js')), outputText)
    }
  }
  return path => pathToFileURL(join(target, path.replace(/ts$/, 'js')))
}
